"""The invariants: the answers of clients, compared with the databases and the mailbox afterwards.

- An accepted change exists and its event is recorded: nothing accepted is lost.
- A rejected change does not exist, and no sign-in succeeds with a wrong password.
- A change without an answer, or with a 5xx, is made or not made, but never half: what exists has its event.
- Every recorded event is notified once over each of its channels; an unverified address gets the verification mail
  and nothing else.
"""

import os
import uuid
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import psycopg2
import requests
from kombu import Connection

from evidence.chaos.clients import Attempt
from evidence.harness.messages import QUEUES
from evidence.harness.stack import Stack

FOR_ANY_ADDRESS = (
    "email_verification_requested_event",
    "password_reset_requested_event",
    "email_sign_in_requested_event",
)
# For programs alone.
FOR_NOBODY = ("sessions_ended_event", "profile_changed_event", "client_logout_event", "invitation_changed_event")
PRODUCERS = ["users", "auth"]
WORKERS = ["auth-event-worker", "notification-email-worker", "notification-sms-worker"]


def channels_of(event: dict[str, Any]) -> list[str]:
    """The channels over which the user must be notified of an event."""
    data = event["data"]
    if event["type"] in FOR_NOBODY:
        return []
    if event["type"] == "phone_verification_requested_event":
        return ["sms"]
    if not data["email_verified"] and event["type"] not in FOR_ANY_ADDRESS:
        return []
    return ["email", "sms"] if event["type"] == "user_login_event" and data["phone"] else ["email"]


@dataclass
class Findings:
    """What was compared, and every violation."""

    requests: int = 0
    failed: int = 0  # no answer, or a 5xx
    done_without_answer: int = 0  # of those: the change was made nevertheless
    events: int = 0
    lost: dict[str, str] = field(default_factory=dict)  # description by key
    duplicates: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)  # rejected but made, or wrongly accepted

    def __str__(self) -> str:
        return (
            f"{self.requests} requests ({self.failed} failed, {self.done_without_answer} of them done nevertheless),"
            f" {self.events} events, {len(self.lost)} lost, {len(self.duplicates)} notified more than once"
        )


class Invariants:
    """Compares what happens from its creation on."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._after = {service: self._newest(service) for service in PRODUCERS}

    def rows(self, service: str, statement: str, *values: Any) -> list[Any]:
        """Query a service's database as the role of its processes."""
        url = os.environ[f"{service.upper()}_DATABASE_URL"]
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    def _newest(self, service: str) -> int:
        return int(self.rows(service, "SELECT coalesce(max(id), 0) FROM outbox_outboxmessage")[0][0])

    def events(self) -> list[dict[str, Any]]:
        """The events that both producers have recorded since, from the outbox."""
        statement = "SELECT body FROM outbox_outboxmessage WHERE id > %s"
        return [body for service in PRODUCERS for [body] in self.rows(service, statement, self._after[service])]

    def waiting(self) -> tuple[int, int]:
        """How many events are not yet notified, and how many messages the outbox and the queues hold."""
        unpublished = "SELECT count(*) FROM outbox_outboxmessage WHERE published_at IS NULL"
        held = sum(self.rows(service, unpublished)[0][0] for service in PRODUCERS)
        events = self.events()
        return len(self._pending(events)) + len(self._unverified(events)), held + sum(self._queued())

    def _pending(self, events: list[dict[str, Any]]) -> dict[str, str]:
        statement = (
            "SELECT event_id::text, medium FROM deliveries_delivery"
            " WHERE event_id = ANY(%s::uuid[]) AND status = 'sent'"
        )
        sent = {tuple(row) for row in self.rows("notification", statement, [event["id"] for event in events])}
        return {
            f"{event['id']} {medium}": f"{event['type']} {event['id']} was not notified by {medium}"
            for event in events
            for medium in channels_of(event)
            if (event["id"], medium) not in sent
        }

    def _unverified(self, events: list[dict[str, Any]]) -> dict[str, str]:
        """New users without the event that asks them to confirm their address."""
        new = [event["data"]["email"] for event in events if event["type"] == "new_user_event"]
        asked = {event["data"]["email"] for event in events if event["type"] == "email_verification_requested_event"}
        return {email: f"{email} was not asked to confirm its address" for email in new if email not in asked}

    def _queued(self) -> Iterable[int]:
        with Connection(self.stack.broker_url) as connection:
            channel = connection.channel()
            retries = [f"retry.{worker}.{2**power}s" for worker in WORKERS for power in range(10)]
            for queue in [*QUEUES, *retries]:
                yield channel.queue_declare(queue, passive=True).message_count

    def compare(self, ledger: list[Attempt]) -> Findings:
        """Compare what exists now with the answers that the clients got."""
        events = self.events()
        found = Findings(requests=len(ledger), events=len(events))
        for attempt, rows, recorded in self._traces(ledger, events):
            _compare_one(found, attempt, rows, recorded)
        found.lost |= self._pending(events) | self._unverified(events)
        self._count_mails(found, events)
        return found

    def _traces(self, ledger: list[Attempt], events: list[dict[str, Any]]) -> list[tuple[Attempt, int, int]]:
        """Each attempt with the number of its rows and of its events."""
        marks = [attempt.mark for attempt in ledger]
        users = "SELECT email, count(*) FROM accounts_user WHERE email = ANY(%s) GROUP BY email"
        sessions = "SELECT user_agent, count(*) FROM sign_in_session WHERE user_agent = ANY(%s) GROUP BY user_agent"
        rows = dict(self.rows("users", users, marks)) | dict(self.rows("auth", sessions, marks))
        recorded = Counter(
            event["data"]["user_agent"] if event["type"] == "user_login_event" else event["data"]["email"]
            for event in events
            if event["type"] in ("user_login_event", "new_user_event")
        )
        return [(attempt, rows.get(attempt.mark, 0), recorded[attempt.mark]) for attempt in ledger]

    def _count_mails(self, found: Findings, events: list[dict[str, Any]]) -> None:
        """Count in the mailbox: by the event's id in the Message-ID, or by the phone of a text message."""
        answer = requests.get(f"{self.stack.mail}/api/v1/messages", {"limit": 1_000_000}, timeout=120).json()
        mails = Counter(mail["MessageID"] for mail in answer["messages"])
        phones = Counter(mail["To"][0]["Address"] for mail in answer["messages"])
        texts = Counter(event["data"]["phone"] for event in events if "sms" in channels_of(event))
        for event in events:
            mail = f"{uuid.UUID(event['id']).hex}.email@tessera.invalid"
            what, is_wanted = f"the mail of {event['type']} {event['id']}", "email" in channels_of(event)
            _note_times(found, f"{event['id']} email", what, mails[mail], int(is_wanted))
        for phone, wanted in texts.items():
            times = phones[f"sms{phone}@tessera.example"]
            _note_times(found, phone, f"the text messages to {phone}", times, wanted)


def _note_times(found: Findings, key: str, what: str, times: int, wanted: int) -> None:
    if times < wanted:
        found.lost.setdefault(key, f"{what}: {times} instead of {wanted}")
    found.duplicates += [f"{what}: {times} instead of {wanted}"] * max(times - wanted, 0)


def _compare_one(found: Findings, attempt: Attempt, rows: int, recorded: int) -> None:
    what = f"{attempt.kind} {attempt.mark} (answered {attempt.status or 'not at all'}): {rows} rows, {recorded} events"
    if attempt.is_unknown:
        found.failed += 1
        found.done_without_answer += bool(rows)
    if attempt.is_accepted and not (rows and recorded):
        found.lost[attempt.mark] = what
    if rows != recorded or rows > 1 or (rows and attempt.is_rejected) or (attempt.is_accepted and not attempt.wanted):
        found.wrong.append(what)
