"""Delivering notices."""

import random
import re
import time
from datetime import datetime, timedelta

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from chassis.messaging.events import CloudEvent
from chassis.operations import pruning, tracing
from notification_ms import topology
from notification_ms.deliveries import devices, event_texts, limits, notices, selectors
from notification_ms.deliveries.failures import PermanentFailure, TransientFailure
from notification_ms.deliveries.media import Medium
from notification_ms.deliveries.models import Delivery, ErasedUser, EverySignIn, KnownDevice, Preference, Tally
from notification_ms.deliveries.notices import Notice

FIRST_BACKOFF_SECONDS = 1.0
MAXIMUM_BACKOFF_SECONDS = 300.0
LATE_DELIVERIES = timedelta(days=1)
DEVICES_REMEMBERED = timedelta(days=90)
SIGN_IN = "user_login_event"
DATABASE_OUTAGE_SECONDS = 20.0  # survives a restart of PostgreSQL; shorter than a worker's grace period


def notify(*, event: CloudEvent, medium: Medium) -> Delivery:
    """Notify of one event over one medium, once.

    Raises InvalidEvent, TransientFailure (a retry follows) and PermanentFailure (also after DELIVERY_ATTEMPTS).
    """
    notice = notices.notice_of(event)
    is_farewell = notice.texts.is_farewell and medium.name in topology.PERSONAL_MEDIA
    is_gone = is_erased(notice.user_id) and not is_farewell
    recipient = "" if is_gone else medium.recipient(notice)
    at = timezone.now()
    reason = "the user was deleted" if is_gone else _reason_to_skip(notice, recipient, medium=medium, at=at)
    # A farewell is sent once to a verified address, and nothing may store that address after the erasure.
    is_counted = not reason and not is_farewell
    delivery = Delivery.begin(
        event=event,
        medium=medium.name,
        attempts=0 if reason else 1,
        user_id=notice.user_id,
        recipient="" if is_farewell else recipient,
        **(limits.counting(notice, medium=medium.name, recipient=recipient, at=at) if is_counted else {}),
    )
    if delivery.is_finished:
        return delivery
    if reason := reason or limits.reason_to_hold_back(delivery, notice):
        delivery.hold_back(reason=reason)
        return delivery
    if delivery.attempts > settings.DELIVERY_ATTEMPTS:  # earlier attempts ended with their worker
        delivery.finish(status=Delivery.Status.FAILED, error="every attempt ended without an answer")
        raise PermanentFailure(f"given up after {delivery.attempts - 1} attempts without an answer")
    return _attempt(delivery, notice, recipient=recipient, medium=medium)


def _attempt(delivery: Delivery, notice: Notice, *, recipient: str, medium: Medium) -> Delivery:
    """Send with the row locked: if the connection to the broker breaks, the message is redelivered during the sending.

    The second consumer waits for the lock and then sees the outcome.
    """
    is_sent, failure = False, None
    try:
        with transaction.atomic():
            delivery = Delivery.objects.select_for_update().get(pk=delivery.pk)
            if delivery.is_finished:
                return delivery
            failure = send(delivery, notice, recipient=recipient, medium=medium)
            is_sent = failure is None
            note_attempt(delivery, failure)
    except (OperationalError, InterfaceError):
        if not is_sent:
            raise
        _record_late(delivery)
    if failure:
        raise failure
    return delivery


def note_attempt(delivery: Delivery, failure: PermanentFailure | TransientFailure | None) -> None:
    """Record the outcome of an attempt that `send` has made."""
    sent_at = timezone.now() if failure is None else None
    delivery.finish(status=_status_after(failure), error=str(failure or ""), at=sent_at)


def send(
    delivery: Delivery, notice: Notice, *, recipient: str, medium: Medium
) -> PermanentFailure | TransientFailure | None:
    """Make the attempt that has begun. Returns the failure, if any; on the last attempt it is permanent."""
    try:
        with tracing.span(f"send {medium.name}", kind="client"):
            medium.send(notice, recipient=recipient, message_id=delivery.message_id)
    except PermanentFailure as failure:
        return PermanentFailure(_anonymous(failure, recipient))
    except TransientFailure as failure:
        if delivery.attempts < settings.DELIVERY_ATTEMPTS:
            return TransientFailure(_anonymous(failure, recipient))
        return PermanentFailure(f"given up after {delivery.attempts} attempts: {_anonymous(failure, recipient)}")
    return None


def _anonymous(failure: Exception, recipient: str) -> str:
    """The reason without the address that mail servers repeat, because it goes into logs and dead letters."""
    return re.sub(re.escape(recipient), "the recipient", str(failure), flags=re.IGNORECASE)


def _status_after(failure: PermanentFailure | TransientFailure | None) -> str:
    if failure is None:
        return Delivery.Status.SENT
    return Delivery.Status.PENDING if isinstance(failure, TransientFailure) else Delivery.Status.FAILED


def _record_late(delivery: Delivery) -> None:
    """Record the sending once the database is back, so it is not repeated; raises after DATABASE_OUTAGE_SECONDS."""
    ends = time.monotonic() + DATABASE_OUTAGE_SECONDS
    while True:
        connection.close()
        try:
            delivery.finish(status=Delivery.Status.SENT, at=timezone.now())
            return
        except (OperationalError, InterfaceError):
            if time.monotonic() > ends:
                raise
            time.sleep(0.5)


def _reason_to_skip(notice: Notice, recipient: str, *, medium: Medium, at: datetime) -> str:
    if is_switched_off(notice, medium=medium):
        return "switched off by the user"
    if not recipient:
        return f"the user cannot be reached by {medium.name}"
    if medium.name in topology.PERSONAL_MEDIA:
        if notice.notified_by:
            return f"notified by {notice.notified_by}"
        if not notice.is_verified and not notice.texts.any_address:
            return "the address is not verified"
    if notice.expires_at is not None and notice.expires_at <= at:
        return "expired"  # an expired link is useless
    if notice.event.type == SIGN_IN and medium.name in topology.PERSONAL_MEDIA and not _is_told(notice, at=at):
        return "signed in from a known device and network"
    return ""


def _is_told(notice: Notice, *, at: datetime) -> bool:
    """Whether this sign-in is told. Last, because it remembers a device that the user is told of."""
    if settings.LOGIN_NOTICES == "all" or not devices.is_known(notice, at=at):
        return True
    return selectors.wants_every_sign_in(notice.user_id)


def is_erased(user_id: int) -> bool:
    """True when the user was deleted."""
    return ErasedUser.objects.filter(user_id=user_id).exists()


def erase_user(*, user_id: int, at: datetime) -> None:
    """Erase a user's addresses and never notify the user again, whatever events still arrive.

    The fact, time and medium of each delivery stay.
    """
    with transaction.atomic():
        ErasedUser.objects.get_or_create(user_id=user_id, defaults={"erased_at": at})
        Delivery.objects.filter(user_id=user_id).update(recipient="", last_error="")
        Preference.objects.filter(user_id=user_id).delete()
        EverySignIn.objects.filter(user_id=user_id).delete()
        KnownDevice.objects.filter(user_id=user_id).delete()
        Tally.objects.filter(user_id=user_id).delete()


def is_switched_off(notice: Notice, *, medium: Medium) -> bool:
    """True when the user has switched this notice off for this medium, and may do so."""
    chosen = {"event": notice.event.type, "medium": medium.name}
    return (
        event_texts.may_be_switched_off(**chosen)
        and Preference.objects.filter(user_id=notice.user_id, **chosen).exists()
    )


def set_preferences(*, user_id: int, switched_off: list[tuple[str, str]], every_sign_in: bool = False) -> None:
    """Replace the switched-off notices of a user, given as pairs of event and medium, and which sign-ins are told."""
    with transaction.atomic():
        EverySignIn.objects.filter(user_id=user_id).delete()
        if every_sign_in:
            EverySignIn.objects.bulk_create([EverySignIn(user_id=user_id)], ignore_conflicts=True)
        Preference.objects.filter(user_id=user_id).delete()
        Preference.objects.bulk_create(
            (Preference(user_id=user_id, event=event, medium=medium) for event, medium in switched_off),
            ignore_conflicts=True,  # concurrent identical requests
        )


def prune(*, at: datetime) -> None:
    """Delete deliveries older than NOTIFICATION_RETENTION_DAYS, counts whose window has ended and was reported, and
    devices that were not used for DEVICES_REMEMBERED.

    A delivery that began during the erasure of its user may have stored the recipient afterwards; it is erased here.
    """
    oldest = at - timedelta(days=settings.NOTIFICATION_RETENTION_DAYS)
    pruning.delete(Delivery.objects.filter(created_at__lt=oldest))
    over_since = at - timedelta(seconds=settings.NOTICE_WINDOW_SECONDS)
    pruning.delete(Tally.objects.filter(began_at__lt=over_since, held_back_from=None))
    erased = ErasedUser.objects.filter(erased_at__gt=at - LATE_DELIVERIES).values("user_id")
    Delivery.objects.filter(user_id__in=erased).exclude(recipient="").update(recipient="", last_error="")
    pruning.delete(Tally.objects.filter(user_id__in=erased))
    pruning.delete(KnownDevice.objects.filter(user_id__in=erased))
    pruning.delete(KnownDevice.objects.filter(last_seen_at__lt=at - DEVICES_REMEMBERED))


def backoff_seconds(*, attempts: int) -> float:
    """The wait after a number of attempts: doubling up to five minutes, with jitter against synchronised retries."""
    longest: float = min(MAXIMUM_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** min(attempts, 20))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
