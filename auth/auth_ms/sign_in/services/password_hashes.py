"""Comparing a password with a stored hash, in the same time for every account and for unknown ones."""

import time
from functools import cache

import bcrypt
from argon2.low_level import Type, hash_secret_raw
from django.conf import settings
from django.contrib.auth import hashers

from chassis.security import imported_hashes, password_concurrency

BCRYPT, ARGON2ID = "bcrypt_sha256", "argon2"  # the prefixes of Django's encodings
_hashers = {BCRYPT: hashers.BCryptSHA256PasswordHasher(), ARGON2ID: hashers.Argon2PasswordHasher()}
_SALT = b"only takes time."
_LEAST_KIB = 8  # the minimum of argon2
_LEAST_COST = 4  # the minimum of bcrypt


def matches(*, password: str, password_hash: str | None) -> bool:
    """True when `password` matches `password_hash`; without a hash, False after the same work.

    Raises ServiceUnavailable when too many passwords are being compared.
    """
    with password_concurrency.passwords.slot(), password_concurrency.hashing_seconds.labels("compare").time():
        return _matches(password, password_hash)


def _matches(password: str, password_hash: str | None) -> bool:
    """Every failure costs one bcrypt and one argon2id at today's cost, whichever of them the account has.

    During a migration from one to the other there are accounts of both kinds, so one of them is not enough. What an
    imported hash took is left out of the bcrypt; one that takes longer than it is rejected later.
    """
    kind = _kind(password_hash) if password_hash else None
    if password_hash and kind is None:
        return _matches_imported(password, password_hash)
    if password_hash and kind and _hashers[kind].verify(password, password_hash):
        return True
    _work_of_bcrypt(password, done_at=cost_of(password_hash) if password_hash and kind == BCRYPT else None)
    _work_of_argon2id(password, done=_argon2id_work(password_hash) if password_hash and kind == ARGON2ID else 0)
    return False


def _matches_imported(password: str, password_hash: str) -> bool:
    started = time.thread_time()
    if imported_hashes.matches(password=password, password_hash=password_hash):
        return True
    _rest_of_bcrypt(password, spent_seconds=time.thread_time() - started)
    _work_of_argon2id(password, done=0)
    return False


def prepare() -> None:
    """Measure and make what rejections need, so that none of them takes longer because it is the first."""
    _seconds_of_bcrypt(settings.BCRYPT_COST)
    _dummy_hash(settings.BCRYPT_COST)


def is_usable(password_hash: str) -> bool:
    """False when no password can match the hash: only a mailed token gives access to the account."""
    return bool(hashers.is_password_usable(password_hash))


def is_outdated(password_hash: str) -> bool:
    """True when the hash is of another kind than configured, or was made at a lower cost."""
    kind = _kind(password_hash)
    if kind != settings.PASSWORD_HASHER:
        return True
    if kind == BCRYPT:
        return bool(cost_of(password_hash) < settings.BCRYPT_COST)
    made = _hashers[ARGON2ID].decode(password_hash)
    is_weaker = made["memory_cost"] < settings.ARGON2_MEMORY_KIB or made["time_cost"] < settings.ARGON2_PASSES
    return bool(is_weaker or made["variety"] != "argon2id")  # an imported one may be argon2i


def cost_of(password_hash: str) -> int:
    """The cost of a bcrypt hash in Django's encoding, `bcrypt_sha256$$2b$12$...`."""
    return int(_hashers[BCRYPT].decode(password_hash)["work_factor"])


def _kind(password_hash: str) -> str | None:
    """BCRYPT or ARGON2ID; None for an imported hash, and one that no password matches."""
    kind = password_hash.partition("$")[0]
    return kind if kind in _hashers else None


def _argon2id_work(password_hash: str) -> int:
    """The memory that the passes of the hash have filled, in KiB."""
    made = _hashers[ARGON2ID].decode(password_hash)
    return int(made["memory_cost"] * made["time_cost"])


def _work_of_bcrypt(password: str, *, done_at: int | None) -> None:
    """Do the work of bcrypt at today's cost, or the rest of it after a comparison at a lower cost.

    2^c + ... + 2^(n-1) = 2^n - 2^c. Otherwise a wrong password would be rejected faster for an old account than for an
    unknown one.
    """
    if done_at is None:
        _hashers[BCRYPT].verify(password, _dummy_hash(settings.BCRYPT_COST))
        return
    for missing in range(done_at, settings.BCRYPT_COST):
        bcrypt.hashpw(password.encode()[: imported_hashes.BCRYPT_BYTES], bcrypt.gensalt(missing))


def _rest_of_bcrypt(password: str, *, spent_seconds: float) -> None:
    """Do the work of bcrypt at today's cost, less `spent_seconds` of CPU time: the halves of the rest, down to the
    least cost, whose seconds are not more than what is missing."""
    seconds = _seconds_of_bcrypt(settings.BCRYPT_COST)
    missing = seconds - spent_seconds
    for cost in range(settings.BCRYPT_COST, _LEAST_COST - 1, -1):
        part = seconds / 2 ** (settings.BCRYPT_COST - cost)
        if part <= missing:
            bcrypt.hashpw(password.encode()[: imported_hashes.BCRYPT_BYTES], bcrypt.gensalt(cost))
            missing -= part


@cache
def _seconds_of_bcrypt(cost: int) -> float:
    """The CPU time of one bcrypt at this cost, on this machine: the least of three measurements."""
    measured = []
    for _ in range(3):
        started = time.thread_time()
        bcrypt.hashpw(b"only takes time.", bcrypt.gensalt(cost))
        measured.append(time.thread_time() - started)
    return min(measured)


def _work_of_argon2id(password: str, *, done: int) -> None:
    """Fill as much memory as argon2id does at today's cost, less the `done` KiB."""
    missing = max(0, settings.ARGON2_MEMORY_KIB * settings.ARGON2_PASSES - done)
    passes, rest = divmod(missing, settings.ARGON2_MEMORY_KIB)
    for times, kibibytes in ((passes, settings.ARGON2_MEMORY_KIB), (1, rest)):
        if times > 0 and kibibytes >= _LEAST_KIB:
            hash_secret_raw(password.encode(), _SALT, times, kibibytes, 1, 32, Type.ID)


@cache
def _dummy_hash(cost: int) -> str:
    hasher = _hashers[BCRYPT]
    return str(hasher.encode("nobody has this password", bcrypt.gensalt(cost)))  # type: ignore[arg-type]  # bcrypt takes bytes
