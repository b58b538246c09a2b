"""Verified contact data: email addresses and phone numbers."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth import hashers
from django.db import transaction

from chassis.database import constraints
from chassis.http import email_addresses
from users_ms.accounts.events import Origin
from users_ms.accounts.models import FormerAddress, User
from users_ms.accounts.problems import (
    EmailChangedMeanwhile,
    EmailTaken,
    PhoneChangedMeanwhile,
    UserInactive,
)
from users_ms.accounts.services import user_changes

FORMER_ADDRESS_RESERVED = timedelta(hours=72)


@dataclass(frozen=True, kw_only=True)
class EmailProof:
    """The outcome of the verification of an address."""

    first_proof: bool  # the user had no verified address before
    email_changed: bool
    email: str
    verified_at: datetime  # `changed_at` of the event that follows


def verify_email(*, user_id: int, email: str, ends_password: bool = False, origin: Origin, at: datetime) -> EmailProof:
    """Mark `email`, the user's current or pending address, as verified; a pending one becomes the current one.

    With `ends_password`, the first proof of the current address also makes the password unusable, because whoever set
    it had not shown to own the address.

    Raises UserNotFound, EmailChangedMeanwhile when it is neither, EmailTaken when another user has it by now, and
    UserInactive: the address of an inactive account does not change.
    """
    canonical = email_addresses.canonical(email)
    with constraints.constraint("user_email_unique", EmailTaken), transaction.atomic():
        user = user_changes.lock_user(user_id=user_id)
        if not user.is_active:
            raise UserInactive
        if user.email_canonical == canonical:
            return _prove(user, ends_password=ends_password, origin=origin, at=at)
        if user.pending_email and email_addresses.canonical(user.pending_email) == canonical:
            return _move(user, canonical, origin=origin, at=at)
        raise EmailChangedMeanwhile


def set_verified_email(*, user_id: int, email: str, origin: Origin, at: datetime) -> None:
    """Give a user another address, for which its organisation vouches; the former one is notified.

    Raises UserNotFound, and EmailTaken when another user has it or may return to it.
    """
    canonical = email_addresses.canonical(email)
    with constraints.constraint("user_email_unique", EmailTaken), transaction.atomic():
        user = user_changes.lock_user(user_id=user_id)
        if user.email_canonical == canonical:
            user_changes.change(user, {"email": email})
            return
        user.pending_email = email
        _move(user, canonical, origin=origin, at=at)


def _prove(user: User, *, ends_password: bool, origin: Origin, at: datetime) -> EmailProof:
    is_first = not user.email_verified
    if is_first:
        pending = user.pending_email  # requested by someone who may not own the address
        ends_password = ends_password and hashers.is_password_usable(user.password_hash)
        if ends_password:
            _make_password_unusable(user)
        user_changes.change(user, {"email_verified": True, "pending_email": ""})
        facts = {"first_proof": True, "password_ended": ends_password}
        user_changes.announce(user, "email_verified", origin=origin, at=at, **facts)
        if pending:
            user_changes.announce(
                user, "email_change_cancelled", origin=origin, at=at, old_email=user.email, new_email=pending
            )
    return EmailProof(first_proof=is_first, email_changed=False, email=user.email, verified_at=at)


def _make_password_unusable(user: User) -> None:
    user.password_hash = hashers.make_password(None)
    user.password_version += 1
    user.save(update_fields=["password_hash", "password_version"])


def _move(user: User, canonical: str, *, origin: Origin, at: datetime) -> EmailProof:
    if User.objects.filter(email_canonical=canonical).exists():
        raise EmailTaken  # the constraint decides; this check keeps the address out of PostgreSQL's log
    old = FormerAddress(user=user, email=user.email, email_canonical=user.email_canonical)
    old_verified = user.email_verified
    fields = {"email": user.pending_email, "email_canonical": canonical, "email_verified": True, "pending_email": ""}
    user_changes.change(user, fields)
    if user_changes.is_reserved(canonical, but_for=user, at=at):
        raise EmailTaken
    FormerAddress.objects.filter(user=user, email_canonical=canonical).delete()
    if old_verified:
        old.reserved_until = at + FORMER_ADDRESS_RESERVED
        old.save()
    user_changes.announce_to_both_addresses(
        user,
        "email_changed",
        old=old.email,
        old_verified=old_verified,
        origin=origin,
        at=at,
        first_proof=not old_verified,
    )
    return EmailProof(first_proof=not old_verified, email_changed=True, email=user.email, verified_at=at)


def undo_email_change(*, user_id: int, email: str, origin: Origin, at: datetime) -> bool:
    """Cancel a pending change of address, or restore the former address `email`.

    The user who changed the address may know the password, so after a restore only a password reset by email gives
    access to the account. Returns whether the address was restored. Raises UserNotFound, and EmailChangedMeanwhile when
    `email` is not reserved for the user any more.
    """
    canonical = email_addresses.canonical(email)
    with constraints.constraint("user_email_unique", EmailTaken), transaction.atomic():
        user = user_changes.lock_user(user_id=user_id)
        has_moved = user.email_canonical != canonical
        undone = user.email if has_moved else user.pending_email
        if has_moved:
            _go_back(user, canonical, at=at)
        user_changes.change(user, {"pending_email": ""})
        if undone:
            facts = {"old_email": undone, "new_email": user.email, "email_restored": bool(has_moved)}
            user_changes.announce(user, "email_change_undone", origin=origin, at=at, **facts)
    return bool(has_moved)


def _go_back(user: User, canonical: str, *, at: datetime) -> None:
    former = FormerAddress.objects.filter(user=user, email_canonical=canonical, reserved_until__gt=at).first()
    if former is None:
        raise EmailChangedMeanwhile
    # Later addresses were set by the attacker, who must not return to them.
    FormerAddress.objects.filter(user=user, id__gte=former.id).delete()
    _make_password_unusable(user)
    fields = {
        "email": former.email,
        "email_canonical": canonical,
        "email_verified": True,
        "phone_verified": False,
    }
    user_changes.change(user, fields)


def verify_phone(*, user_id: int, phone: str, origin: Origin, at: datetime) -> None:
    """Mark `phone` as verified.

    Raises UserNotFound, and PhoneChangedMeanwhile when it is not the user's number any more.
    """
    with transaction.atomic():
        user = user_changes.lock_user(user_id=user_id)
        if not phone or user.phone != phone:
            raise PhoneChangedMeanwhile
        if not user.phone_verified:
            user_changes.change(user, {"phone_verified": True})
            user_changes.announce(user, "phone_verified", origin=origin, at=at)
