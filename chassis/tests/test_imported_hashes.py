"""The stored forms of other systems' password hashes, and the limits of their cost."""

import random

import pytest

from chassis.security import imported_hashes

SALT, DIGEST = "c2l4dGVlbiBieXRlIHNhbA", "A" * 86  # 64 bytes of zeros
# pragma: allowlist nextline secret
BCRYPT = "0123456789012345678901uoXjOVHEdYvqVmvDNhhLDUsrFf0p4yO"
GOOD = [
    f"$2b$04${BCRYPT}",
    f"$2y$14${BCRYPT}",
    f"bcrypt_sha256$$2b$12${BCRYPT}",
    f"$argon2id$v=19$m=102400,t=2,p=8${SALT}${DIGEST}",  # Django's default
    f"$argon2id$v=19$m=65536,t=4,p=1${SALT}${DIGEST}",  # PHP's
    f"$pbkdf2-sha512$i=210000${SALT}${DIGEST}",  # Keycloak's, and the next
    f"$pbkdf2-sha1$i=1300000${SALT}${DIGEST}",
    f"pbkdf2_sha256$1500000$salt${DIGEST}",
    f"scrypt$16384$salt$8$5${DIGEST}",
    f"$scrypt$ln=17,r=8,p=1${SALT}${DIGEST}",  # OWASP's recommendation
    f"$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw,sk={DIGEST}${SALT}${DIGEST}",
    f"$6$rounds=656000$salt${'a' * 86}",
    f"$1$salt${'a' * 22}",
    f"md5$salt${'0' * 32}",
]
BAD = {
    "nothing": "",
    "a password": "correct horse battery",
    "another format": "$7$C6..../....SodiumChloride$kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8D",
    "unusable": "!kWm0QsEmYUSDzZvpjeJ9WmXA",
    "with a line end": f"$2b$04${BCRYPT}\n",
    "too long": f"$6$salt${'a' * 600}",
    "bcrypt, cost 15": f"$2b$15${BCRYPT}",
    "bcrypt, cost 31": f"bcrypt_sha256$$2b$31${BCRYPT}",
    "bcrypt, cost 3": f"$2b$03${BCRYPT}",
    "bcrypt with the defect of 2x": f"$2x$04${BCRYPT}",
    "argon2, 4 GiB": f"$argon2id$v=19$m=4194304,t=1,p=1${SALT}${DIGEST}",
    "argon2, 1000 passes": f"$argon2id$v=19$m=65536,t=1000,p=1${SALT}${DIGEST}",
    "argon2, 64 lanes": f"$argon2id$v=19$m=65536,t=1,p=64${SALT}${DIGEST}",
    "argon2, too little memory": f"$argon2id$v=19$m=8,t=1,p=4${SALT}${DIGEST}",
    "argon2, no passes": f"$argon2id$v=19$m=64,t=0,p=1${SALT}${DIGEST}",
    "argon2, short digest": f"$argon2id$v=19$m=64,t=1,p=1${SALT}$AAAA",
    "pbkdf2, many iterations": f"$pbkdf2-sha256$i=99999999${SALT}${DIGEST}",
    "pbkdf2, no iterations": f"pbkdf2_sha256$0$salt${DIGEST}",
    "pbkdf2, short digest": f"$pbkdf2-sha256$i=1000${SALT}$AAAA",
    "pbkdf2, no Base64": f"$pbkdf2-sha256$i=1000${SALT}$A",
    "pbkdf2-md5": f"$pbkdf2-md5$i=1000${SALT}${DIGEST}",
    "scrypt, 1 GiB": f"$scrypt$ln=20,r=8,p=1${SALT}${DIGEST}",
    "scrypt, much work": f"$scrypt$ln=17,r=8,p=16${SALT}${DIGEST}",
    "scrypt, an exponent of 99": f"$scrypt$ln=99,r=8,p=1${SALT}${DIGEST}",
    "scrypt, no power of two": f"scrypt$16385$salt$8$1${DIGEST}",
    "scrypt, N of 1": f"scrypt$1$salt$8$1${DIGEST}",
    "firebase, memory": f"$fbscrypt$v=1,n=30,r=8,p=1,ss=Bw,sk={DIGEST}${SALT}${DIGEST}",
    "firebase, another key": f"$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw,sk={'A' * 43}${SALT}${DIGEST}",
    "crypt, rounds": f"$6$rounds=999999999$salt${'a' * 86}",
    "salted, wrong length": f"$salted-sha1$prefix${SALT}${DIGEST}",
    "ldap, no salt": "{SSHA}aOhCdKeQ5Oi34/BZnsYAMajBhs4=",
    "django, wrong length": f"sha1$salt${'0' * 32}",
}


@pytest.mark.parametrize("text", GOOD)
def test_a_stored_form_is_its_own_stored_form(text):
    form = imported_hashes.stored_form(text)

    assert imported_hashes.stored_form(form) == form
    assert imported_hashes.is_imported(form)
    assert len(form) <= imported_hashes.MAXIMUM_LENGTH


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_a_hash_that_is_malformed_or_too_costly_is_rejected_without_quoting_it(text):
    with pytest.raises(imported_hashes.InvalidHash) as rejection:
        imported_hashes.stored_form(text)

    assert SALT not in str(rejection.value)
    assert DIGEST not in str(rejection.value)


def test_no_accepted_text_makes_a_comparison_fail():
    """Random changes of good hashes are either rejected or compared; those with a low cost are used."""
    cheap = [
        f"$2b$04${BCRYPT}",
        f"$argon2id$v=19$m=64,t=1,p=1${SALT}${DIGEST}",
        f"$pbkdf2-sha512$i=2${SALT}${DIGEST}",
        f"scrypt$4$salt$1$1${DIGEST}",
        f"$scrypt$ln=2,r=1,p=1${SALT}${DIGEST}",
        f"$fbscrypt$v=1,n=2,r=1,p=1,ss=Bw,sk={DIGEST}${SALT}${DIGEST}",
        f"$5$rounds=1000$salt${'a' * 43}",
        f"$1$salt${'a' * 22}",
        f"$salted-md5$prefix$${'A' * 22}",
        "{SSHA}aOhCdKeQ5Oi34/BZnsYAMajBhs57751T",
    ]
    dice, compared = random.Random(7), 0
    for _ in range(3000):
        text = list(dice.choice(cheap))
        for _ in range(dice.randint(0, 3)):
            place = dice.randrange(len(text))
            text[place : place + dice.randint(0, 2)] = dice.choice(["", "$", "=", "0", "a", "/", ".", "-", "é", "\0"])
        try:
            form = imported_hashes.stored_form("".join(text))
        except imported_hashes.InvalidHash:
            continue
        assert imported_hashes.matches(password="a password", password_hash=form) is False
        compared += 1

    assert compared > 300


def test_what_is_no_hash_matches_no_password():
    for text in ("", "!", "correct horse battery", "{SSHA}aOhCdKeQ5Oi34/BZnsYAMajBhs57751T"):
        assert not imported_hashes.matches(password="correct horse battery", password_hash=text)
