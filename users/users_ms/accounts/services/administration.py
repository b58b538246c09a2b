"""Operations: creating admins, and pruning."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from chassis.http import email_addresses
from chassis.operations import pruning
from users_ms.accounts import passwords
from users_ms.accounts.events import Origin
from users_ms.accounts.models import FormerAddress, SignUp, User
from users_ms.accounts.problems import NotVerified, UserExists
from users_ms.accounts.services import user_changes
from users_ms.accounts.services.passwords import replace_password
from users_ms.accounts.services.registration import create_user

SIGN_UP_REMEMBERED = timedelta(days=1)


def check_admin(*, email: str, promote: bool) -> User | None:
    """The user to be promoted to admin; None when no user has the address.

    Raises UserExists unless promotion is requested, and NotVerified, because anybody can sign up with an address.
    """
    user = User.objects.with_email(email).first()
    if user is None:
        return None
    if not promote:
        raise UserExists("There is a user with this address already.")
    if not user.email_verified:
        raise NotVerified("The address is not verified: the account may belong to another user.")
    return user


def make_admin(*, email: str, password: str, promote: bool, at: datetime) -> tuple[User, bool]:
    """Create an admin, or promote a user and set this password. Returns the user and whether it is new.

    Raises UserExists and NotVerified as `check_admin` does.
    """
    user = check_admin(email=email, promote=promote)
    origin = Origin(user_agent="manage.py create_admin")
    if user is None:
        name = email.partition("@")[0][:100]
        fields: dict[str, Any] = {"name": name, "surname": "Admin", "is_admin": True, "email_verified": True}
        return create_user(email=email, password=password, origin=origin, at=at, **fields), True
    password_hash = passwords.hash_password(password)
    with transaction.atomic():
        user = user_changes.lock_user(user_id=user.id)
        if not user.email_verified or user.email_canonical != email_addresses.canonical(email):
            raise NotVerified
        user_changes.change(user, {"is_admin": True})
        user_changes.announce(user, "rights_changed", origin=origin, at=at)
        replace_password(user, password_hash, reason="promotion", origin=origin, at=at)
    return user, False


def prune(*, at: datetime) -> None:
    """Delete idempotency keys older than a day, and former addresses whose reservation has ended."""
    pruning.delete(SignUp.objects.filter(created_at__lt=at - SIGN_UP_REMEMBERED))
    pruning.delete(FormerAddress.objects.filter(reserved_until__lt=at))
