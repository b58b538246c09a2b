"""The broker is restarted, and loses confirmed messages. Run by `make chaos`.

When the broker loses its disk, or writes that had not reached it, the outbox still has the confirmed events for
OUTBOX_RETENTION_HOURS, and `manage.py republish_events` publishes them again.
"""

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from evidence.chaos.processes import pause
from evidence.harness.waiting import eventually

WORKERS = ["auth-event-worker", "notification-email-worker", "notification-sms-worker"]


def test_the_broker_is_restarted(chaos, under_load):
    with under_load("restart of rabbitmq") as run:
        chaos.stack.stop("rabbitmq")
        pause(2)
        chaos.stack.start("rabbitmq")
        run.recovers()


def events_of(chaos, service, condition):
    """The ids of the events in a producer's outbox for which a condition holds."""
    return chaos.query(
        service,
        f"SELECT coalesce(array_agg(body->>'id'), '{{}}') FROM outbox_outboxmessage WHERE {condition}",  # noqa: S608
    )


def stop_workers(chaos):
    """Stop the event worker first, then the others once its events are mailed: their secrets are sent once."""
    chaos.stack.stop(WORKERS[0])
    asked = "exchange = 'email_verification_requested_event'"
    eventually(lambda: chaos.mailed(ids := events_of(chaos, "auth", asked)) == len(ids), seconds=60)
    for worker in WORKERS[1:]:
        chaos.stack.stop(worker)


@pytest.mark.parametrize("lost", ["its last moments", "all its data"])
def test_confirmed_events_that_the_broker_lost_are_republished(chaos, under_load, lost):
    """No worker runs, so only the broker has the events. The token of a password reset is lost; its user asks again."""
    data = Path(chaos.stack.directory) / "rabbitmq" / "data"
    copy = data.with_name("data.copy")
    with under_load(f"rabbitmq loses {lost}", lost_allowed=1) as run:
        since = datetime.now(UTC).isoformat()
        stop_workers(chaos)
        chaos.stack.stop("rabbitmq")
        subprocess.run(["cp", "-a", str(data), str(copy)], check=True)  # with its owner
        chaos.stack.start("rabbitmq")
        forgot = {"email": run.clients.sign_up().mark}
        requests.post(f"{chaos.stack.auth}/auth-ms/auth/password/forgot", json=forgot, timeout=10).raise_for_status()
        confirmed = f"published_at > '{since}'"
        secret = f"{confirmed} AND exchange = 'password_reset_requested_event'"
        eventually(lambda: len(events_of(chaos, "auth", confirmed)) > 10 and events_of(chaos, "auth", secret))
        chaos.kill("rabbitmq")
        chaos.stack.stop("rabbitmq")
        shutil.rmtree(data)
        if lost == "its last moments":
            copy.rename(data)
        ids = [each for service in ("users", "auth") for each in events_of(chaos, service, confirmed)]
        for program in ["rabbitmq", *WORKERS]:
            chaos.stack.start(program)
        run.recovers()
        run.note = f"{len(ids) - chaos.mailed(ids)} of {len(ids)} confirmed events not mailed before republish_events"
        assert chaos.mailed(ids) < len(ids)
        for service in ("users", "auth"):
            chaos.stack.manage(service, "republish_events", "--since", since)
    shutil.rmtree(copy, ignore_errors=True)
    assert all("password_reset_requested_event" in each for each in run.findings.lost.values()), run.findings.lost
