"""Reads of users that are more than one line."""

from users_ms.accounts.models import User, UserQuerySet


def find_users(*, email: str = "", name: str = "", surname: str = "", search: str = "") -> UserQuerySet:
    """Users that match every given filter; exact ones without regard to case, `search` by prefix."""
    users = User.objects.all()
    if email:
        users = users.with_email(email)
    if name:
        users = users.named(field="name", value=name)
    if surname:
        users = users.named(field="surname", value=surname)
    if search:
        users = users.starting_with(search)
    return users
