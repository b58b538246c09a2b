"""JWTs that work once: client assertions and DPoP proofs."""

import hashlib
from datetime import datetime

from django.db import connection


def use_once(kind: str, *names: str, until: datetime) -> bool:
    """True for the first use of what `kind` and `names` name, over all processes; remembered until it expires."""
    digest = hashlib.sha256("\0".join((kind, *names)).encode()).digest()
    with connection.cursor() as cursor:
        cursor.execute(_USE, [digest, until])
        return bool(cursor.rowcount)


_USE = "INSERT INTO sign_in_usedjwt (digest, expires_at) VALUES (%s, %s) ON CONFLICT (digest) DO NOTHING"
