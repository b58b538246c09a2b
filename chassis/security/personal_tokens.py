"""Opaque tokens: what they look like; and of personal access tokens, what of Tessera they may open.

A token is its prefix, such as `tsr_pat_`, 43 characters for 256 random bits, and 6 for the CRC-32 of all before, in
base 62: secret scanners find it by prefix and length, and discard chance hits by the checksum. It is no signed
statement: what it allows, only the service that made it knows.
"""

import re
import secrets
import string
import zlib

PREFIX = "tsr_pat_"
READ, WRITE = "read", "write"  # requests that change nothing; requests that change something
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_LENGTH, _CHECKSUM_LENGTH = 43, 6
_PATTERN = re.compile(rf"[0-9A-Za-z]{{{_RANDOM_LENGTH + _CHECKSUM_LENGTH}}}", re.ASCII)


def make(prefix: str = PREFIX) -> str:
    """A new token."""
    body = prefix + _base62(secrets.randbits(256), length=_RANDOM_LENGTH)
    return body + _checksum(body)


def is_personal(token: str) -> bool:
    """True for what claims to be a personal access token, so that nothing else looks at it."""
    return token.startswith(PREFIX)


def is_well_formed(token: str, prefix: str = PREFIX) -> bool:
    """True for a token whose length and checksum are right; others are mistyped or made up, and not worth a look-up."""
    body, checksum = token[:-_CHECKSUM_LENGTH], token[-_CHECKSUM_LENGTH:]
    is_shaped = token.startswith(prefix) and _PATTERN.fullmatch(token[len(prefix) :]) is not None
    return is_shaped and checksum == _checksum(body)


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), length=_CHECKSUM_LENGTH)


def _base62(number: int, *, length: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    return digits.rjust(length, "0")
