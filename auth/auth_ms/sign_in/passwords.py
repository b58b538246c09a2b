"""Comparing a password with a hash, at the same cost whether or not there is one."""

from functools import cache

import bcrypt
from django.conf import settings
from django.contrib.auth import hashers

from chassis import metrics, turns

_hasher = hashers.BCryptSHA256PasswordHasher()


def matches(*, password: str, password_hash: str | None) -> bool:
    """True when `password` belongs to `password_hash`; without a hash, False after the same work.

    A hash that no password can have, as after a change of address was undone, is as none. Raises ServiceUnavailable
    when too many passwords are being compared.
    """
    if password_hash is not None and not is_usable(password_hash):
        password_hash = None
    with turns.passwords.turn(), metrics.bcrypt_seconds.labels("compare").time():
        return _matches(password, password_hash)


def _matches(password: str, password_hash: str | None) -> bool:
    right = _hasher.verify(password, password_hash or _dummy_hash(settings.BCRYPT_COST)) and password_hash is not None
    if not right and password_hash is not None:
        _make_up_for(password, cost_of(password_hash))
    return right


def is_usable(password_hash: str) -> bool:
    """False when only a mailed token opens the account, because no password has this hash."""
    return bool(hashers.is_password_usable(password_hash))


def is_outdated(password_hash: str) -> bool:
    """True when the hash was made at a lower cost than today's."""
    return bool(cost_of(password_hash) < settings.BCRYPT_COST)


def cost_of(password_hash: str) -> int:
    """The cost of a hash in Django's encoding, `bcrypt_sha256$$2b$12$...`."""
    return int(_hasher.decode(password_hash)["work_factor"])


def _make_up_for(password: str, cost: int) -> None:
    """Do the work that a hash of an old, lower cost has spared: 2^c + ... + 2^(n-1) are 2^n - 2^c.

    Else a wrong password would be refused faster for an old account than for one that does not exist.
    """
    for missing in range(cost, settings.BCRYPT_COST):
        bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(missing))


@cache
def _dummy_hash(cost: int) -> str:
    return str(_hasher.encode("nobody has this password", bcrypt.gensalt(cost)))  # type: ignore[arg-type]  # bcrypt takes bytes
