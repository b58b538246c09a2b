"""What changes users."""

from typing import Any

from django.db import transaction

from chassis import db
from chassis.errors import Problem
from chassis.outbox import services as outbox
from users_ms.accounts import events, passwords
from users_ms.accounts.models import User


class EmailTaken(Problem):
    status = 409
    title = "Email already in use"
    detail = "Another user has this email address."


class UserNotFound(Problem):
    status = 404
    title = "User not found"


def create_user(*, password: str, is_admin: bool = False, **fields: Any) -> User:
    """Store a new user and announce it. Raises EmailTaken."""
    password_hash = passwords.hash_password(password)  # slow on purpose, so before the transaction
    with db.constraint("user_email_unique", EmailTaken), transaction.atomic():
        user = User.objects.create(password_hash=password_hash, is_admin=is_admin, **fields)
        outbox.record(
            events.NewUser(
                user_id=user.id,
                name=user.name,
                surname=user.surname,
                email=user.email,
                phone=user.phone,
                locale=user.locale,
                time_zone=user.time_zone,
            )
        )
    return user


def update_user(*, user_id: int, **fields: Any) -> User:
    """Set `fields` of a user; a new email is not verified yet. Raises EmailTaken and UserNotFound."""
    with db.constraint("user_email_unique", EmailTaken), transaction.atomic():
        user = User.objects.select_for_update().filter(id=user_id).first()
        if user is None:
            raise UserNotFound
        if fields.get("email", user.email).lower() != user.email.lower():
            fields["email_verified"] = False
        for name, value in fields.items():
            setattr(user, name, value)
        user.save(update_fields=[*fields, "updated_at"])
    return user


def delete_user(*, user_id: int) -> None:
    """Forget a user. Raises UserNotFound."""
    deleted, _ = User.objects.filter(id=user_id).delete()
    if not deleted:
        raise UserNotFound


def make_admin(*, email: str, password: str | None) -> tuple[User, bool]:
    """Give an existing user the rights of an admin, or create an admin. Returns the user and whether it is new.

    Raises UserNotFound when there is no such user and no password to create one with.
    """
    user = User.objects.with_email(email).first()
    if user is not None:
        return update_user(user_id=user.id, is_admin=True), False
    if password is None:
        raise UserNotFound
    name, _, _ = email.partition("@")
    return create_user(name=name[:100], surname="Admin", email=email, password=password, is_admin=True), True
