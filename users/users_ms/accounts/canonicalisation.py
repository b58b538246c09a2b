"""Canonical forms for addresses stored before there were any; for migrations."""

import logging
from typing import Any

from chassis.http import email_addresses

BATCH = 2000
logger = logging.getLogger(__name__)


def fill(connection: Any) -> None:
    """Store the canonical form of every user's address in batches; idempotent."""
    with connection.cursor() as cursor:
        last = 0
        while rows := _batch(cursor, after=last):
            canonical = [email_addresses.canonical(email) for _, email in rows]
            cursor.execute(_FILL, [[id_ for id_, _ in rows], [email for _, email in rows], canonical])
            last = rows[-1][0]


def _batch(cursor: Any, *, after: int) -> list[tuple[int, str]]:
    cursor.execute("SELECT id, email FROM accounts_user WHERE id > %s ORDER BY id LIMIT %s", [after, BATCH])
    return list(cursor.fetchall())


def set_collisions_apart(connection: Any) -> list[int]:
    """Leave each canonical form to one user: verified before unverified, then the oldest.

    The others get a form that cannot be looked up: no sign-in or password reset works with that address until an
    admin sets another one. Returns their ids, and logs them.
    """
    with connection.cursor() as cursor:
        cursor.execute(_SET_APART)
        apart = sorted(row[0] for row in cursor.fetchall())
    if apart:
        logger.warning(
            "users whose address another user has: give each another one (manage.py address_collisions)",
            extra={"user_ids": apart},
        )
    return apart


_FILL = """
    UPDATE accounts_user AS stored SET email_canonical = given.canonical
    FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS given (id, email, canonical)
    WHERE stored.id = given.id AND stored.email = given.email AND stored.email_canonical <> given.canonical
"""
_SET_APART = """
    UPDATE accounts_user SET email_canonical = 'COLLISION ' || id
    WHERE id IN (
        SELECT id FROM (
            SELECT id, row_number() OVER (
                PARTITION BY email_canonical ORDER BY email_verified DESC, created_at, id
            ) AS place FROM accounts_user
        ) AS ranked WHERE place > 1
    )
    RETURNING id
"""
