"""What a user has shown to receive: the mail of an address, the text messages of a number."""

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
from users_ms.accounts.services import changing

FORMER_ADDRESS_RESERVED = timedelta(hours=72)


@dataclass(frozen=True, kw_only=True)
class EmailProof:
    """What became of the proof of an address."""

    first_proof: bool  # the user has not shown before that it reads the mail of an address
    email_changed: bool
    email: str


def verify_email(*, user_id: int, email: str, origin: Origin, at: datetime) -> EmailProof:
    """Note that the user has shown to read the mail of `email`, its address or its pending one, which takes over.

    Raises UserNotFound, EmailChangedMeanwhile when it is neither, EmailTaken when another user has it by now, and
    UserInactive: an account that is switched off moves nowhere.
    """
    canonical = email_addresses.canonical(email)
    with constraints.constraint("user_email_unique", EmailTaken), transaction.atomic():
        user = changing.lock_user(user_id=user_id)
        if not user.is_active:
            raise UserInactive
        if user.email_canonical == canonical:
            return _prove(user, origin=origin, at=at)
        if user.pending_email and email_addresses.canonical(user.pending_email) == canonical:
            return _move(user, canonical, origin=origin, at=at)
        raise EmailChangedMeanwhile


def _prove(user: User, *, origin: Origin, at: datetime) -> EmailProof:
    is_first = not user.email_verified
    if is_first:
        pending = user.pending_email  # asked for by somebody who may not be the owner of the address
        changing.change(user, {"email_verified": True, "pending_email": ""})
        changing.announce(user, "email_verified", origin=origin, at=at, first_proof=True)
        if pending:
            changing.announce(
                user, "email_change_cancelled", origin=origin, at=at, old_email=user.email, new_email=pending
            )
    return EmailProof(first_proof=is_first, email_changed=False, email=user.email)


def _move(user: User, canonical: str, *, origin: Origin, at: datetime) -> EmailProof:
    if User.objects.filter(email_canonical=canonical).exists():
        raise EmailTaken  # the constraint decides; this keeps the address out of PostgreSQL's log
    old = FormerAddress(user=user, email=user.email, email_canonical=user.email_canonical)
    old_verified = user.email_verified
    fields = {"email": user.pending_email, "email_canonical": canonical, "email_verified": True, "pending_email": ""}
    changing.change(user, fields)
    if changing.is_reserved(canonical, but_for=user, at=at):
        raise EmailTaken
    FormerAddress.objects.filter(user=user, email_canonical=canonical).delete()
    if old_verified:
        old.reserved_until = at + FORMER_ADDRESS_RESERVED
        old.save()
    changing.announce_to_both_addresses(
        user,
        "email_changed",
        old=old.email,
        old_verified=old_verified,
        origin=origin,
        at=at,
        first_proof=not old_verified,
    )
    return EmailProof(first_proof=not old_verified, email_changed=True, email=user.email)


def undo_email_change(*, user_id: int, email: str, origin: Origin, at: datetime) -> bool:
    """Drop a pending change of address, and give the user back `email`, which it had until lately.

    Whoever changed the address may know the password: when the address had changed, only a reset by mail opens the
    account again. Returns whether it had. Raises UserNotFound, and EmailChangedMeanwhile when `email` is not reserved
    for the user any more.
    """
    canonical = email_addresses.canonical(email)
    with constraints.constraint("user_email_unique", EmailTaken), transaction.atomic():
        user = changing.lock_user(user_id=user_id)
        has_moved = user.email_canonical != canonical
        undone = user.email if has_moved else user.pending_email
        if has_moved:
            _go_back(user, canonical, at=at)
        changing.change(user, {"pending_email": ""})
        if undone:
            facts = {"old_email": undone, "new_email": user.email}
            changing.announce(user, "email_change_undone", origin=origin, at=at, **facts)
    return bool(has_moved)


def _go_back(user: User, canonical: str, *, at: datetime) -> None:
    former = FormerAddress.objects.filter(user=user, email_canonical=canonical, reserved_until__gt=at).first()
    if former is None:
        raise EmailChangedMeanwhile
    # Those that came after it were of whoever took the account over, who must not go back to them.
    FormerAddress.objects.filter(user=user, id__gte=former.id).delete()
    user.password_hash = hashers.make_password(None)
    user.password_version += 1
    user.save(update_fields=["password_hash", "password_version"])
    fields = {
        "email": former.email,
        "email_canonical": canonical,
        "email_verified": True,
        "phone_verified": False,
    }
    changing.change(user, fields)


def verify_phone(*, user_id: int, phone: str, origin: Origin, at: datetime) -> None:
    """Note that the user has shown to receive the text messages of `phone`.

    Raises UserNotFound, and PhoneChangedMeanwhile when it is not the user's number any more.
    """
    with transaction.atomic():
        user = changing.lock_user(user_id=user_id)
        if not phone or user.phone != phone:
            raise PhoneChangedMeanwhile
        if not user.phone_verified:
            changing.change(user, {"phone_verified": True})
            changing.announce(user, "phone_verified", origin=origin, at=at)
