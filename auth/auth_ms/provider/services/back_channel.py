"""OpenID Connect Back-Channel Logout 1.0: each client of a session is told that it ended, until it has answered.

The delivery and its event are stored in the transaction that ends the session. The event worker signs a logout token
for each attempt, so that one that is retried has not expired.
"""

import logging
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet

from auth_ms import metrics
from auth_ms.keys.services import issuing
from auth_ms.provider import claims, events
from auth_ms.provider.models import Grant, LogoutDelivery
from auth_ms.sessions import lifetimes
from chassis.http import outgoing
from chassis.http.circuit_breaker import CircuitBreaker, CircuitOpen
from chassis.http.errors import Problem
from chassis.operations import pruning
from chassis.outbox import services as outbox

EVENT = "http://schemas.openid.net/event/backchannel-logout"
TYPE = "logout+jwt"
TOKEN_LIFE = timedelta(minutes=2)  # as §2.4 recommends
ATTEMPT_SECONDS = 3.0
SLOW_SECONDS = 2.0  # a client that was so slow is not called again for PAUSE_SECONDS: others wait for the worker too
PAUSE_SECONDS = 30.0
MAXIMUM_BACKOFF_SECONDS = 512
KEPT = timedelta(days=30)
Status = LogoutDelivery.Status
logger = logging.getLogger(__name__)


class DeliveryNotFound(Problem):
    status = 404
    title = "Logout delivery not found"


class DeliveryNotFailed(Problem):
    status = 409
    title = "Logout delivery has not failed"
    detail = "Only a failed delivery can be repeated; a pending one is being retried."


class NotDelivered(Exception):
    """To be tried again in `seconds`."""

    def __init__(self, reason: str, *, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


class GivenUp(Exception):
    """The client did not answer as it should for LOGOUT_DELIVERY_HOURS."""


def on_sessions_ended(*, session_ids: list[int], at: datetime, **_signal: Any) -> None:
    """Record the logouts of sessions that end in the caller's transaction."""
    record(Grant.objects.filter(Q(session_id__in=session_ids) | Q(browser_session_id__in=session_ids)), at=at)


def record(grants: QuerySet[Grant], *, at: datetime) -> None:
    """Record one logout per client and session of those `grants` that are live, in the caller's transaction."""
    redeemed = Q(code_used_at__isnull=False) | Q(code_expires_at__gt=at)
    live = grants.filter(redeemed, revoked_at=None, client__is_active=True).exclude(client__backchannel_logout_uri="")
    told = live.order_by("client_id", "browser_session_id").distinct("client_id", "browser_session_id")
    for grant in told.select_related("client"):
        delivery = LogoutDelivery.objects.create(
            client=grant.client,
            user_id=grant.user_id,
            session_id=grant.browser_session_id,
            created_at=at,
            give_up_at=at + timedelta(hours=settings.LOGOUT_DELIVERY_HOURS),
        )
        _publish(delivery, at=at)


def _publish(delivery: LogoutDelivery, *, at: datetime) -> None:
    outbox.record(
        events.ClientLogout(
            delivery_id=delivery.id,
            client_id=delivery.client.client_id,
            user_id=delivery.user_id,
            session_id=delivery.session_id,
        ),
        at=at,
    )


def end_expired(*, at: datetime) -> None:
    """End the live grants whose session has expired, and tell their clients."""
    for members, life in lifetimes.by_kind():
        unused, opened = at - life.idle, at - life.absolute
        kind = {f"session__{name}": value for name, value in members.items()}
        live = Grant.objects.filter(revoked_at=None, session__revoked_at=None, **kind)
        _end(live.filter(session__last_used_at__lte=unused), at=at)
        _end(live.filter(authenticated_at__lte=opened, session__created_at__lte=opened), at=at)


def _end(grants: QuerySet[Grant], *, at: datetime) -> None:
    found = [0] * pruning.BATCH
    while len(found) == pruning.BATCH:
        with transaction.atomic():
            locked = grants.select_for_update(skip_locked=True, of=("self",)).order_by("id")
            found = list(locked.values_list("id", flat=True)[: pruning.BATCH])
            ending = Grant.objects.filter(id__in=found)
            record(ending, at=at)
            ending.update(revoked_at=at)


def logout_token(delivery: LogoutDelivery, *, at: datetime) -> str:
    """A new token for one attempt (§2.4): with `sub` and `sid`, and without `nonce`."""
    client = delivery.client
    members = {
        "iss": settings.PUBLIC_URL,
        "sub": claims.subject_of(delivery.user_id, client=client),
        "aud": client.client_id,
        "sid": str(delivery.session_id),
        "events": {EVENT: {}},
    }
    return issuing.sign(members, at=at, life=TOKEN_LIFE, typ=TYPE, algorithm=client.signing_algorithm)


def deliver(*, delivery_id: int, at: datetime) -> None:
    """Make one attempt, unless the delivery is finished; a repeated event has no effect.

    Raises NotDelivered and GivenUp.
    """
    delivery = LogoutDelivery.objects.select_related("client").filter(id=delivery_id, status=Status.PENDING).first()
    if delivery is None:
        return
    if not (delivery.client.is_active and delivery.client.backchannel_logout_uri):
        _note(delivery, Status.CANCELLED, "The client takes no logouts any more.", at=at)
        return
    try:
        with _breaker(delivery.client_id).call():
            error = _attempt(delivery, at=at)
    except CircuitOpen as too_slow:
        raise NotDelivered("the client was slow before", seconds=too_slow.seconds) from too_slow
    if not error:
        _note(delivery, Status.DELIVERED, "", at=at, attempts=1)
    elif at >= delivery.give_up_at:
        _note(delivery, Status.FAILED, error, at=at, attempts=1)
        raise GivenUp(f"back-channel logout failed: {error}")
    else:
        _note(delivery, Status.PENDING, error, at=at, attempts=1)
        raise NotDelivered(error, seconds=min(2 ** (delivery.attempts + 1), MAXIMUM_BACKOFF_SECONDS))


@lru_cache(maxsize=1000)
def _breaker(client: int) -> CircuitBreaker:
    return CircuitBreaker(
        f"back-channel logout of client {client}", slow_calls=1, slow_seconds=SLOW_SECONDS, open_seconds=PAUSE_SECONDS
    )


def _attempt(delivery: LogoutDelivery, *, at: datetime) -> str:
    """What went wrong; empty when the client has answered that the logout succeeded (§2.8)."""
    try:
        answer = outgoing.send(
            "POST",
            delivery.client.backchannel_logout_uri,
            body=urlencode({"logout_token": logout_token(delivery, at=at)}).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            seconds=ATTEMPT_SECONDS,
            private_networks=settings.PRIVATE_CLIENT_NETWORKS,
        )
    except (outgoing.RefusedURL, outgoing.Unreachable) as error:
        return str(error)
    return "" if answer.status in (200, 204) else f"HTTP {answer.status}"


def _note(delivery: LogoutDelivery, status: str, error: str, *, at: datetime, attempts: int = 0) -> None:
    outcome = "retried" if status == Status.PENDING else str(status)
    metrics.logout_deliveries.labels(outcome).inc()
    LogoutDelivery.objects.filter(id=delivery.id, status=Status.PENDING).update(
        status=status, last_error=error[:200], attempts=F("attempts") + attempts, attempted_at=at
    )


def redeliver(*, delivery_id: int, at: datetime) -> LogoutDelivery:
    """Begin a failed delivery again. Raises DeliveryNotFound and DeliveryNotFailed."""
    with transaction.atomic():
        found = LogoutDelivery.objects.select_for_update(of=("self",)).select_related("client")
        delivery = found.filter(id=delivery_id).first()
        if delivery is None:
            raise DeliveryNotFound
        if delivery.status != Status.FAILED:
            raise DeliveryNotFailed
        delivery.status, delivery.attempts = Status.PENDING, 0
        delivery.give_up_at = at + timedelta(hours=settings.LOGOUT_DELIVERY_HOURS)
        delivery.save(update_fields=["status", "attempts", "give_up_at"])
        _publish(delivery, at=at)
    return delivery


def prune(*, at: datetime) -> None:
    """Delete the log of deliveries after KEPT, which is longer than any is retried."""
    pruning.delete(LogoutDelivery.objects.filter(created_at__lt=at - KEPT).exclude(status=Status.PENDING))
