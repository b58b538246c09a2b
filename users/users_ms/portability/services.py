"""Importing users of another system: in batches, each user once."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth import hashers
from django.db import connection, transaction
from rest_framework.exceptions import ErrorDetail, ValidationError

from chassis.http import email_addresses
from chassis.messaging import events as cloud_events
from chassis.outbox import services as outbox
from users_ms.accounts import services as accounts
from users_ms.accounts.events import Origin
from users_ms.accounts.models import User
from users_ms.portability import events
from users_ms.portability.models import ImportedUser
from users_ms.portability.rows import Refusal, Row, Rows
from users_ms.portability.serializers import ImportedUserInput

BATCH = 500  # lines in one transaction
MAXIMUM_REFUSALS = 1000  # in one report
_LOCK = 0x1359027  # a PostgreSQL advisory lock: one batch at a time, so that no two store the same user


@dataclass(kw_only=True)
class Report:
    """What became of the lines; `refusals` has all reasons of a batch, or the first of a request."""

    accepted: int = 0
    unchanged: int = 0
    refused: int = 0
    refusals: list[Refusal] = field(default_factory=list)

    def add(self, other: "Report") -> None:
        """Adds what became of other lines."""
        self.accepted, self.unchanged = self.accepted + other.accepted, self.unchanged + other.unchanged
        self.refused += other.refused
        self.refusals += other.refusals[: MAXIMUM_REFUSALS - len(self.refusals)]


def import_users(rows: Rows, *, origin: Origin, at: datetime) -> Report:
    """Import all rows. What is stored stays stored when this fails; the same rows again change nothing."""
    report = Report()
    for batch in import_in_batches(rows, origin=origin, at=at):
        report.add(batch)
    return report


def import_in_batches(rows: Rows, *, origin: Origin, at: datetime) -> Iterator[Report]:
    """Import the rows batch by batch, each in its transaction, and report on each when it is stored.

    No event about a user is published, so nobody is sent mails. A user whose `external_id` was imported before stays as
    it is now. In the end, or when it fails, the audit log is told what was stored.
    """
    sums = Report()
    try:
        while batch := list(itertools.islice(rows, BATCH)):
            report = _import_batch(batch, at=at)
            sums.add(report)
            yield report
    finally:
        if sums.accepted or sums.unchanged or sums.refused:
            _announce(sums, origin=origin, at=at)


def _announce(sums: Report, *, origin: Origin, at: datetime) -> None:
    event = events.UsersImported(
        import_id=str(cloud_events.uuid7()),
        imported_at=at.isoformat(),
        accepted=sums.accepted,
        unchanged=sums.unchanged,
        refused=sums.refused,
        actor_id=origin.actor_id,
        session_id=origin.session_id,
        address=origin.address,
        user_agent=origin.user_agent,
    )
    with transaction.atomic():
        outbox.record(event, at=at)


def _import_batch(batch: list[Row | Refusal], *, at: datetime) -> Report:
    report = Report(refusals=[each for each in batch if isinstance(each, Refusal)])
    report.refused = len(report.refusals)
    rows = [each for each in batch if isinstance(each, Row)]
    known, new = _known(rows), []
    for row in rows:
        if row.external_id in known:
            _count_known(row, known[row.external_id], report)
        elif user := _validated(row, report):
            new.append((row, user))
    if new:
        _store(new, report, at=at)
    return report


def _known(rows: list[Row]) -> dict[str, int | None]:
    """By `external_id`, the users of those rows that were imported before; None when the user is erased."""
    external_ids = [row.external_id for row in rows if row.external_id]
    return dict(ImportedUser.objects.filter(external_id__in=external_ids).values_list("external_id", "user_id"))


def _count_known(row: Row, user_id: int | None, report: Report) -> None:
    if user_id is None:
        reason = "This user was imported before, and has been erased since."
        _refuse(report, row.refusal("external_id", "erased", reason))
    else:
        report.unchanged += 1


def _refuse(report: Report, *refusals: Refusal) -> None:
    """Counts one line, for one or more reasons."""
    report.refused += 1
    report.refusals += refusals


def _validated(row: Row, report: Report) -> User | None:
    try:
        members = ImportedUserInput.shared().run_validation(row.members)
    except ValidationError as error:
        reasons: dict[str, Any] = error.detail  # type: ignore[assignment]  # of a serializer
        found = [(name, _first(reason)) for name, reason in reasons.items()]
        _refuse(report, *(row.refusal(name, str(reason.code), str(reason)) for name, reason in found))
        return None
    members.pop("external_id")
    return _user(**members)


def _first(reason: Any) -> ErrorDetail:
    """The first error of a field; those of a list's members are nested."""
    while not isinstance(reason, ErrorDetail):
        reason = next(iter(reason.values() if isinstance(reason, dict) else reason))
    return reason


def _user(*, email: str, name: str = "", password_hash: str = "", phone_verified: bool, **members: Any) -> User:
    return User(
        email=email,
        email_canonical=email_addresses.canonical(email),
        name=name or email.partition("@")[0][:100],
        password_hash=password_hash or hashers.make_password(None),  # only a reset by email gives access
        phone_verified=phone_verified and bool(members["phone"]),
        **members,
    )


def _store(new: list[tuple[Row, User]], report: Report, *, at: datetime) -> None:
    first: dict[str, tuple[Row, User]] = {}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        known = _known([row for row, _ in new])  # another import may have been faster
        for row, user in new:
            if row.external_id in known:
                _count_known(row, known[row.external_id], report)
            elif row.external_id in first:
                report.unchanged += 1
            else:
                user.created_at = min(user.created_at, at) if isinstance(user.created_at, datetime) else at
                first[row.external_id] = (row, user)
        stored = {user.id for user in accounts.add_users([user for _, user in first.values()], at=at)}
        ImportedUser.objects.bulk_create(
            ImportedUser(external_id=external_id, user=user, imported_at=at)
            for external_id, (_, user) in first.items()
            if user.id in stored
        )
    report.accepted += len(stored)
    for row, user in first.values():
        if user.id not in stored:
            _refuse(report, row.refusal("email", "email_taken", "Another user has this address."))
