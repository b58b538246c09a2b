"""Reads of users that are more than one line."""

from users_ms.accounts.models import User, UserQuerySet
from users_ms.accounts.services import UserNotFound


def get_user(*, email: str | None = None, user_id: int | None = None) -> User:
    """The user of that email, without regard to case, or of that id. Raises UserNotFound."""
    try:
        return User.objects.get(id=user_id) if email is None else User.objects.with_email(email).get()
    except User.DoesNotExist as error:
        raise UserNotFound from error


def find_users(*, email: str = "", name: str = "", surname: str = "", search: str = "") -> UserQuerySet:
    """Users that match every given filter; exact ones without regard to case, `search` by prefix."""
    users = User.objects.all()
    for field, value in (("email", email), ("name", name), ("surname", surname)):
        if value:
            users = users.matching(field=field, value=value)
    return users.starting_with(search) if search else users
