"""Sign-in with passwords that other systems hashed. No hash here was made by Tessera: the ids say by what."""

import runpy
import time

import bcrypt
import pytest

from auth.tests.builders import PASSWORD, login
from auth_ms.sign_in.services import password_hashes
from chassis.security import imported_hashes

pytestmark = pytest.mark.django_db
_SALT_16 = "c2l4dGVlbiBieXRlIHNhbA"
# pragma: allowlist nextline secret
_NODE_SHA1 = "vidoB0okkzWhXmQg5U40XHoHBJk27vX1wLfi/buDeK8J+4khAVa0C8fq5OK/RN0v5KUJ4wxJTwDkPydyWIR13w"
# pragma: allowlist nextline secret
_NODE_SHA256 = "0jCG77B+ZMarPZ0V/nWfStkDmRe8fKHXTfJqIn8NMVWVvJ+9s6dZ8w3DaXQAi1KiSEqLYQ2LhekRu3x/hflilA"
# pragma: allowlist nextline secret
_NODE_SHA512 = "rU4+LXNnfyZTFoCA/lyqwAI23FwQPXA1J8WUvWKIN0asda65BYVS3ajgw8RORUx2kWMyEjgepCG1IEmnGuv2Yg"
# pragma: allowlist nextline secret
_NODE_SCRYPT = "8aIknClAyBdn/bCdPhIMHc9KWATYJefcVv5r4Sa2i+u9PW6uGXb6+ubT+8I/Ea2ndqOePz/PunOrbScdsim8fQ"
_OPENSSL_6 = "dTmIYmW/LpvGK/iiDSK9zlcKIRJ33.7YE9DETLAR1zX9/2./Fv6/8dFZ1tCs/Kfp//7QeoJfyRWP7XdDzP87j1"
# pragma: allowlist nextline secret
_OPENSSL_SHA512 = "Oth/4PicDZylz99+GxpDoq2sozc0A4JsWET0RDcKws9c6aSN3U+UDsIcWDq12x6Ge+NCK0YOqheH5Fh/Af0FCQ=="
# The example of https://github.com/firebase/scrypt
# pragma: allowlist nextline secret
_FIREBASE_KEY = "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA=="
# pragma: allowlist nextline secret
_FIREBASE_HASH = "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=="
HASHES = {
    "openwall-bcrypt-2a": ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    "php-bcrypt": ("rasmuslerdorf", "$2a$07$usesomesillystringfore2uDLvp1Ii2e./U9C8sBjqp8I90dH6hi"),
    "passlib-django-bcrypt": (PASSWORD, "bcrypt$$2b$04$q3yzdj2GPPq.zqMALeF2ROWXipLI0diRVBcuSMOhyPP9KbYT44N1O"),
    "libargon2": ("password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"),
    "keycloak-26-argon2": (
        "secret",
        "$argon2id$v=19$m=7168,t=5,p=1$LRScGShC7shkdoU5B1UgUQ==$xKjWvB9+0sSP6wTqI1JoEI7w+iA0x9VDhPgmrOHRG80=",
    ),
    "passlib-django-argon2i": (
        PASSWORD,
        "argon2$argon2i$v=19$m=64,t=1,p=1$L2WslVKKcc45pzSmlJJSKg$qr0TY5yNIW4iJ1pnn7kuovy2BGS+pUoBToT0l4rcOM8",
    ),
    "keycloak-pbkdf2-sha256": (
        "password",
        "$pbkdf2-sha256$i=27500$P5rtFkGtPfoaryJ6PizUJw==$JsfNbCOIdZUbyBJ+BT+VoGI91Ec2rWLOvkLPDaX8e9k=",
    ),
    "rfc7914-pbkdf2-64-bytes": (
        "passwd",
        "$pbkdf2-sha256$i=1$c2FsdA$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLyknKnMzxebZFmRZks5137zF8cbhFseML1QkRIEHToZeA",
    ),
    "node-pbkdf2-sha1-64-bytes": (PASSWORD, f"$pbkdf2-sha1$i=1000${_SALT_16}${_NODE_SHA1}"),
    "node-pbkdf2-sha256-64-bytes": (PASSWORD, f"$pbkdf2-sha256$i=1000${_SALT_16}${_NODE_SHA256}"),
    "node-pbkdf2-sha512-64-bytes": (PASSWORD, f"$pbkdf2-sha512$i=1000${_SALT_16}${_NODE_SHA512}"),
    "passlib-pbkdf2-sha512": (
        PASSWORD,
        "$pbkdf2-sha512$1000$9n4PwTinFILQ.h/jPAfg3A"
        "$qyyHTRv875jZVuv1u72r6VMLc5EtG7mfHkBVaCtSk8EtiGx2isBHYZUOTk1REjR50zaljyR0h7vpm0vhN7R74w",
    ),
    "passlib-django-pbkdf2-sha256": (
        PASSWORD,
        "pbkdf2_sha256$1000$MWC5o49lZKev$pcxqkSUxF6DVqFUze5663H8mMoTtOtnWuWPosBhrkuI=",
    ),
    "passlib-django-pbkdf2-sha1": (PASSWORD, "pbkdf2_sha1$1000$i9yjMsSd0tmp$11HA2wnahqLWcMSoUa13+9u/Xu4="),
    "node-django-scrypt": (PASSWORD, f"scrypt$1024$sixteenbytesalt$8$5${_NODE_SCRYPT}=="),
    "passlib-scrypt": (
        PASSWORD,
        "$scrypt$ln=10,r=8,p=1$Wuv9/7+3dm5tDeH8P0fIWQ$bp8uZ3iGSeMdNG5DwMw/C5hOu4i/gOZXf91MSx364gc",
    ),
    "firebase": (
        "user1password",
        f"$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk={_FIREBASE_KEY}$42xEC+ixf3L2lw==${_FIREBASE_HASH}",
    ),
    "openssl-passwd-1": (PASSWORD, "$1$abcdefgh$E2IUOVGWn4QIROUcRm1wO/"),
    "openssl-passwd-5": (PASSWORD, "$5$abcdefgh$sYjQ4vynYsNAnM.JMipLH1IMXSipuA8cURgfc3GsHo."),
    "openssl-passwd-6": (PASSWORD, f"$6$abcdefgh${_OPENSSL_6}"),
    "passlib-ldap-ssha": (PASSWORD, "{SSHA}aOhCdKeQ5Oi34/BZnsYAMajBhs57751T"),
    "passlib-ldap-ssha256": (PASSWORD, "{SSHA256}TH6ocjHioeJ5bn5Jm0rvtC3mmmzzExQMdKziLOu4SH/AeA8hxJizFg=="),
    "passlib-django-sha1": (PASSWORD, "sha1$tVeBrlMzwJdL$308b27eb2ce16b932ab2af4f1005ee4456e90f0b"),
    "passlib-django-md5": (PASSWORD, "md5$TgTPBQNAz0eA$2dbd50732018310a3add6deae36db58c"),
    "openssl-sha512-password-salt": (PASSWORD, f"$salted-sha512$suffix$TmFDbA==${_OPENSSL_SHA512}"),
    "openssl-sha256-salt-password": (
        PASSWORD,
        "$salted-sha256$prefix$TmFDbA==$s8mm3BeSGLvlhan40HXv4PCqeUdAm4rhwkRI7JOPeAQ=",
    ),
    "openssl-md5-without-salt": (PASSWORD, "$salted-md5$suffix$$iOTd0kAtktUOGHnW7Nn/1A=="),
}


@pytest.mark.parametrize("made_by", HASHES)
def test_the_old_password_signs_in_and_is_hashed_as_todays(client, ada, made_by):
    password, exported = HASHES[made_by]
    ada["password_hash"] = stored = imported_hashes.stored_form(exported)

    wrong = client.post("/auth-ms/auth/login", **login(password=f"{password}x"))
    after_wrong = ada["password_hash"]
    right = client.post("/auth-ms/auth/login", **login(password=password))

    assert (wrong.status_code, after_wrong) == (401, stored)
    assert right.status_code == 200
    assert ada["password_hash"].startswith("bcrypt_sha256$")
    assert client.post("/auth-ms/auth/login", **login(password=password)).status_code == 200


@pytest.mark.parametrize("made_by", HASHES)
def test_the_hash_itself_is_no_password(client, ada, made_by):
    ada["password_hash"] = imported_hashes.stored_form(HASHES[made_by][1])

    assert client.post("/auth-ms/auth/login", **login(password=ada["password_hash"][:200])).status_code == 401


def test_bcrypt_reads_72_bytes_as_it_did_there(client, ada):
    """Other systems cut a longer password off; today's hash has all of it."""
    long = "x" * 100
    ada["password_hash"] = f"bcrypt${bcrypt.hashpw(long[:72].encode(), bcrypt.gensalt(4)).decode()}"

    assert client.post("/auth-ms/auth/login", **login(password=long)).status_code == 200
    assert client.post("/auth-ms/auth/login", **login(password="x" * 99)).status_code == 401


def cpu_seconds_of_a_rejection(client, **changes):
    started = time.thread_time()
    assert client.post("/auth-ms/auth/login", **login(**changes)).status_code == 401
    return time.thread_time() - started


@pytest.fixture
def started(monkeypatch):
    """A process that has loaded the WSGI application, as gunicorn does before it forks; yields the bcrypts since."""
    for known in (password_hashes._seconds_of_bcrypt, password_hashes._dummy_hash):
        known.cache_clear()
    monkeypatch.setattr("auth_ms.startup_checks.check", lambda: None)
    monkeypatch.setattr("chassis.operations.metrics.reset", lambda: None)
    runpy.run_module("auth_ms.wsgi")
    made, hashpw = [], bcrypt.hashpw
    monkeypatch.setattr(bcrypt, "hashpw", lambda password, salt: made.append(salt[:7]) or hashpw(password, salt))
    return made


def test_the_first_rejection_makes_no_more_bcrypts_than_later_ones(client, ada, started):
    """What a bcrypt takes is measured, and the dummy hash made, at the start of the process and not in a request."""
    ada["password_hash"] = imported_hashes.stored_form(HASHES["openssl-passwd-6"][1])
    rejections = [{"password": "not the password"}, {"username": "nobody@example.org"}]

    made = []
    for changes in (*rejections, *rejections):
        started.clear()
        assert client.post("/auth-ms/auth/login", **login(**changes)).status_code == 401
        made.append(list(started))

    assert made[:2] == made[2:] == [[], [b"$2b$04$"]]


@pytest.mark.parametrize("made_by", ["keycloak-pbkdf2-sha256", "openssl-passwd-6", "openssl-md5-without-salt"])
def test_a_wrong_password_and_an_unknown_email_are_rejected_in_the_same_time(client, ada, settings, made_by):
    """As test_passwords does for today's kinds; here the imported hash costs less than today's."""
    settings.BCRYPT_COST, settings.ARGON2_MEMORY_KIB, settings.ARGON2_PASSES = 9, 4096, 1
    settings.LOGIN_FAILURES_OF_AN_ACCOUNT = settings.LOGIN_FAILURES_OF_AN_ADDRESS = 1000
    ada["password_hash"] = imported_hashes.stored_form(HASHES[made_by][1])
    password_hashes.prepare()

    wrong, unknown = [], []
    for number in range(6):
        wrong.append(cpu_seconds_of_a_rejection(client, password="not the password"))
        unknown.append(cpu_seconds_of_a_rejection(client, username=f"nobody{number}@example.org"))

    assert 0.75 < min(wrong) / min(unknown) < 1.33
