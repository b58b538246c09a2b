"""Password hashes that other systems made: their stored form, the limits of their cost, and comparing a password.

users-ms stores what `stored_form` returns; auth-ms compares with `matches`. Two kinds are also today's: Django's
`bcrypt_sha256$...` and `argon2$argon2id$...`, which auth-ms compares by itself.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from passlib.handlers.md5_crypt import md5_crypt
from passlib.handlers.sha2_crypt import sha256_crypt, sha512_crypt

MAXIMUM_LENGTH = 512
# A hash with an absurd cost would stop sign-in. These take one CPU about a second, and at most 128 MiB.
MAXIMUM_BCRYPT_COST = 14
MAXIMUM_ITERATIONS = 2_000_000  # of PBKDF2
MAXIMUM_ROUNDS = 1_000_000  # of SHA-256-crypt and SHA-512-crypt
MAXIMUM_KIB = 128 * 1024  # of argon2 and scrypt
MAXIMUM_FILLED_KIB = 1024 * 1024  # memory times passes, of argon2
MAXIMUM_SCRYPT_WORK = 2**21  # N times r times p
MAXIMUM_LANES = 16
BCRYPT_BYTES = 72  # bcrypt ignores the rest of a password; its library refuses it
_BCRYPT_BASE64 = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_BCRYPT_SALTED = 29  # characters of `$2b$12$` and the salt
_DIGESTS = {"md5": 16, "sha1": 20, "sha256": 32, "sha512": 64}  # bytes
_LEAST_DIGEST, _MOST_BYTES = 16, 128
Parts = re.Match[str]


class InvalidHash(ValueError):
    """The text is no hash of a known format, or its cost is beyond the limits; the message says which."""


@dataclass(frozen=True, kw_only=True)
class _Format:
    """One format: its syntax, its stored form (raises InvalidHash), and the comparison of a password with that."""

    syntax: re.Pattern[str]
    stored: Callable[[Parts], str]
    matches: Callable[[bytes, Parts], bool]


def stored_form(text: str) -> str:
    """The form in which the hash `text` is stored. Raises InvalidHash, whose message does not contain the hash.

    https://passlib.readthedocs.io/en/stable/modular_crypt_format.html and
    https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md describe most formats.
    """
    if len(text) > MAXIMUM_LENGTH:
        raise InvalidHash(f"It has more than {MAXIMUM_LENGTH} characters.")
    for each in _FORMATS:
        if parts := each.syntax.fullmatch(text):
            form = each.stored(parts)
            if len(form) > MAXIMUM_LENGTH:
                raise InvalidHash(f"Its stored form has more than {MAXIMUM_LENGTH} characters.")
            return form
    raise InvalidHash("It has none of the known formats.")


def matches(*, password: str, password_hash: str) -> bool:
    """True when `password` matches the stored form of an imported hash; False for any other hash."""
    for each in _FORMATS:
        if parts := each.syntax.fullmatch(password_hash):
            return each.matches(password.encode(), parts)
    return False


def is_imported(password_hash: str) -> bool:
    """True when the stored hash has one of the formats here."""
    return any(each.syntax.fullmatch(password_hash) for each in _FORMATS)


def encoded(raw: bytes) -> str:
    """Base64 without padding, as in the PHC string format."""
    return base64.b64encode(raw).decode().rstrip("=")


def decoded(text: str) -> bytes:
    """The bytes of Base64 with or without padding, in any of its alphabets. Raises InvalidHash."""
    plain = text.rstrip("=").replace("-", "+").replace("_", "/").replace(".", "+")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error as error:
        raise InvalidHash("A part of it is not Base64.") from error


def _limited(number: str, maximum: int, name: str, *, minimum: int = 1) -> int:
    value = int(number)
    if not minimum <= value <= maximum:
        raise InvalidHash(f"Its {name} must be from {minimum} to {maximum}.")
    return value


def _bytes(text: str, *, least: int, name: str) -> bytes:
    raw = decoded(text)
    if not least <= len(raw) <= _MOST_BYTES:
        raise InvalidHash(f"Its {name} must have from {least} to {_MOST_BYTES} bytes.")
    return raw


def _bcrypt(parts: Parts) -> str:
    _limited(parts["cost"], MAXIMUM_BCRYPT_COST, "cost", minimum=4)
    hashed, last = parts["hash"], _BCRYPT_SALTED - 1
    # Only two bits of the salt's last character count; the library rejects a salt in which the others are set.
    character = _BCRYPT_BASE64[_BCRYPT_BASE64.index(hashed[last]) & 0b110000]
    return f"{parts['kind'] or 'bcrypt'}${hashed[:last]}{character}{hashed[last + 1 :]}"


def _matches_bcrypt(password: bytes, parts: Parts) -> bool:
    given = password[:BCRYPT_BYTES]
    if parts["kind"] == "bcrypt_sha256":  # of Django
        given = binascii.hexlify(hashlib.sha256(password).digest())
    return bcrypt.checkpw(given, parts["hash"].encode())


def _argon2(parts: Parts) -> str:
    kibibytes = _limited(parts["memory"], MAXIMUM_KIB, "memory in KiB", minimum=8)
    lanes = _limited(parts["lanes"], MAXIMUM_LANES, "parallelism")
    if kibibytes < 8 * lanes:
        raise InvalidHash("It has less memory than argon2 needs for its parallelism.")
    _limited(str(kibibytes * _limited(parts["passes"], 1000, "passes")), MAXIMUM_FILLED_KIB, "memory times passes")
    salt = _bytes(parts["salt"], least=8, name="salt")
    digest = _bytes(parts["digest"], least=_LEAST_DIGEST, name="digest")
    return f"argon2${parts['parameters']}${encoded(salt)}${encoded(digest)}"


def _matches_argon2(password: bytes, parts: Parts) -> bool:
    try:
        return PasswordHasher().verify(f"${parts['hash']}", password)
    except VerificationError:
        return False


def _pbkdf2(parts: Parts) -> str:
    _limited(parts["iterations"], MAXIMUM_ITERATIONS, "number of iterations")
    if parts["django"]:
        _bytes(parts["digest"], least=_DIGESTS[parts["django"]], name="digest")
        return parts[0]
    algorithm = parts["algorithm"] or "sha1"
    salt = _bytes(parts["salt"], least=1, name="salt")
    digest = _bytes(parts["digest"], least=_DIGESTS[algorithm], name="digest")
    return f"$pbkdf2-{algorithm}$i={parts['iterations']}${encoded(salt)}${encoded(digest)}"


def _matches_pbkdf2(password: bytes, parts: Parts) -> bool:
    """Compares the first block, as long as the digest, because each costs as much as it and is computed by itself
    (RFC 8018, §5.2): of Keycloak's 64 bytes, up to four."""
    algorithm = parts["django"] or parts["algorithm"] or "sha1"
    salt = parts["salt"].encode() if parts["django"] else decoded(parts["salt"])
    length = _DIGESTS[algorithm]
    made = hashlib.pbkdf2_hmac(algorithm, password, salt, int(parts["iterations"]), length)
    return hmac.compare_digest(made, decoded(parts["digest"])[:length])


def _scrypt(parts: Parts) -> str:
    exponent = _limited(parts["exponent"] or str(int(parts["factor"]).bit_length() - 1), 20, "work factor")
    if parts["factor"] and int(parts["factor"]) != 2**exponent:
        raise InvalidHash("Its work factor is not a power of two.")
    work = 2**exponent * _limited(parts["block"], 32, "block size")
    _limited(str(work // 8), MAXIMUM_KIB, "memory in KiB", minimum=0)
    _limited(str(work * _limited(parts["lanes"], MAXIMUM_LANES, "parallelism")), MAXIMUM_SCRYPT_WORK, "work")
    digest = _bytes(parts["digest"], least=_LEAST_DIGEST, name="digest")
    if parts["factor"]:  # Django's
        return parts[0]
    salt = _bytes(parts["salt"], least=1, name="salt")
    parameters = f"ln={exponent},r={parts['block']},p={parts['lanes']}"
    return f"$scrypt${parameters}${encoded(salt)}${encoded(digest)}"


def _matches_scrypt(password: bytes, parts: Parts) -> bool:
    factor = int(parts["factor"] or 2 ** int(parts["exponent"]))
    salt = parts["salt"].encode() if parts["factor"] else decoded(parts["salt"])
    digest = decoded(parts["digest"])
    made = _scrypted(password, salt, factor, int(parts["block"]), int(parts["lanes"]), length=len(digest))
    return hmac.compare_digest(made, digest)


def _scrypted(password: bytes, salt: bytes, factor: int, block: int, lanes: int, *, length: int) -> bytes:
    memory = 128 * block * (factor + lanes + 2)  # what OpenSSL asks for
    return hashlib.scrypt(password, salt=salt, n=factor, r=block, p=lanes, maxmem=memory, dklen=length)


def _firebase(parts: Parts) -> str:
    work = 2 ** _limited(parts["memory"], 14, "memory cost") * _limited(parts["rounds"], 8, "rounds")
    _limited(str(work), MAXIMUM_SCRYPT_WORK, "work")
    salt, separator = _bytes(parts["salt"], least=1, name="salt"), _bytes(parts["separator"], least=0, name="separator")
    key, digest = _bytes(parts["key"], least=32, name="signer key"), _bytes(parts["digest"], least=32, name="digest")
    if len(key) != len(digest):
        raise InvalidHash("Its signer key and digest must be of the same length.")
    parameters = f"v=1,n={parts['memory']},r={parts['rounds']},p=1,ss={encoded(separator)},sk={encoded(key)}"
    return f"$fbscrypt${parameters}${encoded(salt)}${encoded(digest)}"


def _matches_firebase(password: bytes, parts: Parts) -> bool:
    """Firebase's own scrypt (https://github.com/firebase/scrypt): the derived key encrypts the project's signer key."""
    salt = decoded(parts["salt"]) + decoded(parts["separator"])
    derived = _scrypted(password, salt, 2 ** int(parts["memory"]), int(parts["rounds"]), 1, length=32)
    encryptor = Cipher(algorithms.AES256(derived), modes.CTR(bytes(16))).encryptor()
    return hmac.compare_digest(encryptor.update(decoded(parts["key"])), decoded(parts["digest"]))


def _crypt(parts: Parts) -> str:
    if parts["rounds"]:
        _limited(parts["rounds"], MAXIMUM_ROUNDS, "number of rounds", minimum=1000)
    return parts[0]


def _matches_crypt(password: bytes, parts: Parts) -> bool:
    handler = {"1": md5_crypt, "5": sha256_crypt, "6": sha512_crypt}[parts["kind"]]
    return bool(handler.verify(password, parts[0]))


def _salted(parts: Parts) -> str:
    algorithm, salt = parts["algorithm"], decoded(parts["salt"])
    if len(decoded(parts["digest"])) != _DIGESTS[algorithm] or len(salt) > _MOST_BYTES:
        raise InvalidHash("Its digest or salt has a wrong length.")
    return f"$salted-{algorithm}${parts['side']}${encoded(salt)}${encoded(decoded(parts['digest']))}"


def _salted_of_ldap(parts: Parts) -> str:
    algorithm = {"SMD5": "md5", "SSHA": "sha1", "SSHA256": "sha256", "SSHA512": "sha512"}[parts["kind"]]
    raw, length = decoded(parts["digest"]), _DIGESTS[algorithm]
    if not length < len(raw) <= length + _MOST_BYTES:
        raise InvalidHash("Its digest or salt has a wrong length.")
    return f"$salted-{algorithm}$suffix${encoded(raw[length:])}${encoded(raw[:length])}"


def _salted_of_django(parts: Parts) -> str:
    algorithm, digest = parts["algorithm"], bytes.fromhex(parts["digest"])
    if len(digest) != _DIGESTS[algorithm]:
        raise InvalidHash("Its digest has a wrong length.")
    return f"$salted-{algorithm}$prefix${encoded(parts['salt'].encode())}${encoded(digest)}"


def _matches_salted(password: bytes, parts: Parts) -> bool:
    salt = decoded(parts["salt"])
    given = salt + password if parts["side"] == "prefix" else password + salt
    made = hashlib.new(parts["algorithm"], given, usedforsecurity=False).digest()
    return hmac.compare_digest(made, decoded(parts["digest"]))


def _never(_password: bytes, _parts: Parts) -> bool:
    return False  # not a stored form


def _format(syntax: str, stored: Callable[[Parts], str], matching: Callable[[bytes, Parts], bool]) -> _Format:
    return _Format(syntax=re.compile(syntax.replace(" ", ""), re.ASCII), stored=stored, matches=matching)


_B64 = r"[A-Za-z0-9+/._-]+={0,2}"
_TEXT = r"[!-#%-~]{1,64}"  # visible, without $
_FORMATS = (
    # Django's encodings, and the same hashes as other systems write them
    _format(
        r"(?:(?P<kind>bcrypt|bcrypt_sha256)\$)?(?P<hash>\$2[aby]\$(?P<cost>\d\d)\$[./A-Za-z0-9]{53})",
        _bcrypt,
        _matches_bcrypt,
    ),
    _format(
        r"(?:argon2)?\$(?P<hash>(?P<parameters>argon2(?:id|i|d)\$v=(?:16|19)"
        r"\$m=(?P<memory>\d{1,7}),t=(?P<passes>\d{1,4}),p=(?P<lanes>\d{1,3}))"
        rf"\$(?P<salt>{_B64})\$(?P<digest>{_B64}))",
        _argon2,
        _matches_argon2,
    ),
    _format(
        rf"pbkdf2_(?P<django>sha1|sha256)\$(?P<iterations>\d{{1,8}})\$(?P<salt>{_TEXT})\$(?P<digest>{_B64})"
        r"(?P<algorithm>)",
        _pbkdf2,
        _matches_pbkdf2,
    ),
    _format(
        rf"(?P<django>)\$pbkdf2(?:-(?P<algorithm>sha1|sha256|sha512))?\$(?:i=)?(?P<iterations>\d{{1,8}})"
        rf"\$(?P<salt>{_B64})\$(?P<digest>{_B64})",
        _pbkdf2,
        _matches_pbkdf2,
    ),
    _format(
        rf"scrypt\$(?P<factor>\d{{1,8}})\$(?P<salt>{_TEXT})\$(?P<block>\d{{1,3}})\$(?P<lanes>\d{{1,3}})"
        rf"\$(?P<digest>{_B64})(?P<exponent>)",
        _scrypt,
        _matches_scrypt,
    ),
    _format(
        r"(?P<factor>)\$scrypt\$ln=(?P<exponent>\d{1,2}),r=(?P<block>\d{1,3}),p=(?P<lanes>\d{1,3})"
        rf"\$(?P<salt>{_B64})\$(?P<digest>{_B64})",
        _scrypt,
        _matches_scrypt,
    ),
    # of Firebase, as Supabase's Auth writes them too
    _format(
        r"\$fbscrypt\$v=1,n=(?P<memory>\d{1,2}),r=(?P<rounds>\d{1,2}),p=1,"
        rf"ss=(?P<separator>(?:{_B64})?),sk=(?P<key>{_B64})\$(?P<salt>{_B64})\$(?P<digest>{_B64})",
        _firebase,
        _matches_firebase,
    ),
    # of crypt(5)
    _format(r"\$(?P<kind>1)\$(?P<rounds>)[./A-Za-z0-9]{0,8}\$[./A-Za-z0-9]{22}", _crypt, _matches_crypt),
    _format(
        r"\$(?P<kind>5)\$(?:rounds=(?P<rounds>\d{1,9})\$)?[./A-Za-z0-9]{0,16}\$[./A-Za-z0-9]{43}",
        _crypt,
        _matches_crypt,
    ),
    _format(
        r"\$(?P<kind>6)\$(?:rounds=(?P<rounds>\d{1,9})\$)?[./A-Za-z0-9]{0,16}\$[./A-Za-z0-9]{86}",
        _crypt,
        _matches_crypt,
    ),
    # one digest of password and salt: the form stored, that of LDAP (RFC 2307), and that of old Django
    _format(
        r"\$salted-(?P<algorithm>md5|sha1|sha256|sha512)\$(?P<side>prefix|suffix)"
        rf"\$(?P<salt>(?:{_B64})?)\$(?P<digest>{_B64})",
        _salted,
        _matches_salted,
    ),
    _format(rf"\{{(?P<kind>SMD5|SSHA|SSHA256|SSHA512)\}}(?P<digest>{_B64})", _salted_of_ldap, _never),
    _format(
        rf"(?P<algorithm>md5|sha1)\$(?P<salt>(?:{_TEXT})?)\$(?P<digest>(?:[0-9a-f]{{2}})+)",
        _salted_of_django,
        _never,
    ),
)
