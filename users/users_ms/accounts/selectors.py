"""Queries on users."""

from functools import cache

from django.db import connection

from chassis.http import email_addresses
from users_ms.accounts.models import COLLISION, User, UserQuerySet
from users_ms.accounts.problems import UserNotFound

MAXIMUM_ID = 2**63 - 1


def get_user(*, email: str | None = None, user_id: int | None = None) -> User:
    """The user with this email, in any spelling, or with this id. Raises UserNotFound."""
    column, value = ("id", user_id) if email is None else ("email_canonical", email_addresses.canonical(email))
    if user_id is not None and user_id > MAXIMUM_ID:
        raise UserNotFound
    found = list(User.objects.raw(_select_by(column), [value]))
    if not found:
        raise UserNotFound
    return found[0]


@cache
def _select_by(column: str) -> str:
    """Cached, because compiling the query takes Django longer than PostgreSQL takes to answer it."""
    columns = ", ".join(f'"{field.column}"' for field in User._meta.concrete_fields)
    return f'SELECT {columns} FROM accounts_user WHERE "{column}" = %s'  # noqa: S608  # nosec B608


def find_users(*, email: str = "", name: str = "", surname: str = "", search: str = "") -> UserQuerySet:
    """Users that match every given filter: exact and case-insensitive, `search` by prefix."""
    users = User.objects.with_email(email) if email else User.objects.all()
    for field, value in (("name", name), ("surname", surname)):
        if value:
            users = users.matching(field=field, value=value)
    return users.starting_with(search) if search else users


def users_set_apart() -> UserQuerySet:
    """Users who cannot be looked up by their address, because another user has it."""
    return User.objects.filter(email_canonical__startswith=COLLISION).order_by("id")


def is_deleted(*, user_id: int) -> bool:
    """True when a user with this id existed and was deleted."""
    if user_id > MAXIMUM_ID:
        return False
    with connection.cursor() as cursor:
        cursor.execute(_IS_DELETED, {"id": user_id})
        return bool(cursor.fetchone()[0])


_IS_DELETED = """
    SELECT is_called AND %(id)s <= last_value AND NOT EXISTS (SELECT FROM accounts_user WHERE id = %(id)s)
    FROM accounts_user_id_seq
"""
