"""Sending what is due. Each endpoint has its own thread while something is due, so that a slow one delays no other.

A delivery is claimed by moving its next attempt into the future, which needs no transaction during the request. Where
a worker ends in the middle, another one repeats the attempt, with the same `webhook-id`.
"""

import json
import logging
import random
import threading
import time
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from chassis.http import outgoing
from chassis.messaging.events import SPECIFICATION_VERSION
from chassis.security import encryption
from notification_ms.webhooks import catalogue, metrics, signing
from notification_ms.webhooks.models import Delivery, Endpoint, EndpointChange, EndpointSecret, ProductEvent
from notification_ms.webhooks.services import notices

ATTEMPT_SECONDS = 10.0
CLAIM = timedelta(seconds=60)  # longer than an attempt with its name lookup
FIRST_BACKOFF_SECONDS = 5.0
MAXIMUM_BACKOFF_SECONDS = 4 * 3600.0
GIVE_UP = timedelta(days=3)
EXCERPT = 500
INTERVAL_SECONDS = 1.0
REPLAY_BATCH = 500
Status = Delivery.Status
logger = logging.getLogger(__name__)


def keep_sending() -> None:
    """Send what is due, in separate threads, until this process ends."""
    threads: dict[int | None, threading.Thread] = {}

    def keep() -> None:
        while True:
            try:
                notices_due = [None] if notices.are_due(at=timezone.now()) else []
                for endpoint_id in [*endpoints_with_work(at=timezone.now()), *notices_due]:
                    if endpoint_id not in threads or not threads[endpoint_id].is_alive():
                        threads[endpoint_id] = threading.Thread(target=_serve, args=[endpoint_id], daemon=True)
                        threads[endpoint_id].start()
            except (OperationalError, InterfaceError):
                logger.warning("the database does not answer; webhooks wait")
                connection.close()
            pause.wait(INTERVAL_SECONDS)

    pause = threading.Event()
    threading.Thread(target=keep, name="webhooks", daemon=True).start()


def _serve(endpoint_id: int | None) -> None:
    """Send what is due to an endpoint, or with None the notices of disabled ones."""
    try:
        if endpoint_id is None:
            notices.send_due(at=timezone.now())
        else:
            send_due(endpoint_id=endpoint_id)
    except (OperationalError, InterfaceError):
        logger.warning("the database does not answer; a webhook waits", extra={"webhook_id": endpoint_id})
    except Exception:
        logger.exception("a webhook failed", extra={"webhook_id": endpoint_id})
    finally:
        connection.close()


def endpoints_with_work(*, at: datetime) -> list[int]:
    """The enabled endpoints with a replay or a due delivery."""
    due = Delivery.objects.filter(endpoint=OuterRef("id"), status=Status.PENDING, next_attempt_at__lte=at)
    enabled = Endpoint.objects.filter(Q(replay_after__isnull=False) | Exists(due), disabled="")
    return list(enabled.order_by("id").values_list("id", flat=True))


def send_due(*, endpoint_id: int) -> None:
    """Make each due attempt of an endpoint, the longest due first."""
    while advance_replay(endpoint_id=endpoint_id, at=timezone.now()):
        pass
    while attempt_next(endpoint_id=endpoint_id, at=timezone.now()):
        pass


def attempt_next(*, endpoint_id: int, at: datetime) -> bool:
    """Make the attempt that is due the longest. False when none is due, or the endpoint is disabled."""
    delivery = _claim(endpoint_id, at=at)
    if delivery is None:
        return False
    began = time.monotonic()
    answer, error = _send(delivery, at=at)
    milliseconds = int((time.monotonic() - began) * 1000)
    _note(delivery, answer=answer, error=error, milliseconds=milliseconds, at=at)
    return True


def _claim(endpoint_id: int, *, at: datetime) -> Delivery | None:
    with transaction.atomic():
        due = Delivery.objects.filter(
            endpoint_id=endpoint_id, endpoint__disabled="", status=Status.PENDING, next_attempt_at__lte=at
        )
        locked = due.select_for_update(skip_locked=True, of=("self",)).select_related("endpoint", "event")
        delivery: Delivery | None = locked.order_by("next_attempt_at", "id").first()
        if delivery is not None:
            delivery.attempts += 1
            delivery.next_attempt_at = at + CLAIM
            delivery.save(update_fields=["attempts", "next_attempt_at"])
    return delivery


def body_of(event: ProductEvent) -> dict[str, Any]:
    """The CloudEvents 1.0 object, with the extensions Partitioning and Sequence."""
    return {
        "specversion": SPECIFICATION_VERSION,
        "id": str(event.event_id),
        "source": event.source,
        "type": event.type,
        "time": event.occurred_at.isoformat().replace("+00:00", "Z"),
        "subject": event.subject,
        "datacontenttype": "application/json",
        "partitionkey": event.subject,
        **({"sequence": event.sequence} if event.sequence else {}),
        "data": event.data,
    }


def _send(delivery: Delivery, *, at: datetime) -> tuple[outgoing.Answer | None, str]:
    """The answer, if there was one, and what went wrong; empty when the event was accepted."""
    body = json.dumps(body_of(delivery.event)).encode()
    try:
        keys = _keys(delivery.endpoint, at=at)
        answer = outgoing.send(
            "POST",
            delivery.endpoint.url,
            body=body,
            headers={"Content-Type": "application/json"}
            | signing.headers(message_id=str(delivery.event.event_id), body=body, keys=keys, at=at),
            seconds=ATTEMPT_SECONDS,
            private_networks=settings.PRIVATE_WEBHOOK_NETWORKS,
        )
    except (outgoing.RefusedURL, outgoing.Unreachable) as error:
        return None, str(error)
    except ImproperlyConfigured:
        return None, "The secret cannot be decrypted: SECRET_KEY was replaced. Rotate the secret of this webhook."
    return answer, "" if 200 <= answer.status < 300 else f"HTTP {answer.status}"


def _keys(endpoint: Endpoint, *, at: datetime) -> list[str]:
    """The secrets that are valid, the newest first. Raises ImproperlyConfigured."""
    valid = EndpointSecret.objects.filter(Q(expires_at=None) | Q(expires_at__gt=at), endpoint=endpoint)
    encrypted = [bytes(each.secret_encrypted) for each in valid.order_by("-id")]
    return [encryption.decrypt(each, secret=settings.SECRET_KEY, variable="SECRET_KEY").decode() for each in encrypted]


def _note(delivery: Delivery, *, answer: outgoing.Answer | None, error: str, milliseconds: int, at: datetime) -> None:
    """Record the attempt, unless the delivery was begun again meanwhile."""
    is_gone = answer is not None and answer.status == 410
    is_final = bool(error) and (is_gone or at - delivery.begun_at >= GIVE_UP)
    status = Status.DELIVERED if not error else Status.FAILED if is_final else Status.PENDING
    again = at + timedelta(seconds=backoff_seconds(attempts=delivery.attempts)) if status == Status.PENDING else None
    metrics.attempts.labels("retried" if status == Status.PENDING else str(status)).inc()
    with transaction.atomic():
        mine = Delivery.objects.filter(id=delivery.id, begun_at=delivery.begun_at, attempts=delivery.attempts)
        mine.update(
            status=status,
            next_attempt_at=again,
            attempted_at=at,
            answer_status=answer.status if answer else None,
            answer_milliseconds=milliseconds,
            answer_excerpt=_excerpt(answer),
            last_error=error[:200],
        )
        _note_health(delivery, error=error, is_gone=is_gone, is_final=is_final, at=at)


def _excerpt(answer: outgoing.Answer | None) -> str:
    return answer.body[:EXCERPT].decode(errors="replace").replace("\0", "")[:EXCERPT] if answer else ""


def _note_health(delivery: Delivery, *, error: str, is_gone: bool, is_final: bool, at: datetime) -> None:
    """Note since when an endpoint fails, and disable one that is gone or accepted nothing for the whole time."""
    endpoint = Endpoint.objects.select_for_update().filter(id=delivery.endpoint_id, disabled="").first()
    if endpoint is None:
        return
    if not error:
        if endpoint.failing_since is not None:
            endpoint.failing_since = None
            endpoint.save(update_fields=["failing_since"])
        return
    endpoint.failing_since = endpoint.failing_since or at
    if is_gone or (is_final and at - endpoint.failing_since >= GIVE_UP):
        endpoint.disabled = Endpoint.Disabled.GONE if is_gone else Endpoint.Disabled.FAILING
        endpoint.version += 1
        endpoint.notice_due_at = at
        EndpointChange.record("disabled", endpoint=endpoint, at=at, reason=endpoint.disabled, error=error[:200])
        logger.error("a webhook was disabled", extra={"webhook_id": endpoint.id, "reason": endpoint.disabled})
    endpoint.save(update_fields=["failing_since", "disabled", "version", "notice_due_at"])


def backoff_seconds(*, attempts: int) -> float:
    """The wait after a number of attempts: doubling up to four hours, with jitter."""
    longest: float = min(MAXIMUM_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** min(attempts - 1, 20))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing


def advance_replay(*, endpoint_id: int, at: datetime) -> bool:
    """Begin the deliveries of the next events of a replay. False when there is none, or it is complete."""
    with transaction.atomic():
        endpoint = Endpoint.objects.select_for_update(skip_locked=True).filter(id=endpoint_id, disabled="").first()
        if endpoint is None or endpoint.replay_after is None:
            return False
        found = ProductEvent.objects.filter(id__gt=endpoint.replay_after, id__lte=endpoint.replay_until)
        events = list(found.exclude(type=catalogue.TEST).order_by("id")[:REPLAY_BATCH])
        wanted = [each for each in events if not endpoint.events or each.type in endpoint.events]
        Delivery.objects.bulk_create(
            [Delivery(endpoint=endpoint, event=event, begun_at=at, next_attempt_at=at) for event in wanted],
            update_conflicts=True,
            unique_fields=["endpoint", "event"],
            update_fields=["status", "attempts", "begun_at", "next_attempt_at"],
        )
        is_complete = len(events) < REPLAY_BATCH
        endpoint.replay_after = None if is_complete else events[-1].id
        endpoint.replay_until = None if is_complete else endpoint.replay_until
        endpoint.save(update_fields=["replay_after", "replay_until"])
    return not is_complete
