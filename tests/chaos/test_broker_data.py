"""The broker is restarted, and loses what it had confirmed. Run by `make chaos`.

What is confirmed is the broker's: when its disk is lost, or what the disk had not yet written down, the outbox has the
events still, for OUTBOX_RETENTION_HOURS, and `manage.py republish_events` publishes them again.
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


def test_the_broker_is_restarted_in_order(chaos, under_load):
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
    """The event worker first, and the others when what it has caused is told: its events have secrets, and go once."""
    chaos.stack.stop(WORKERS[0])
    asked = "exchange = 'email_verification_requested_event'"
    eventually(lambda: chaos.mailed(ids := events_of(chaos, "auth", asked)) == len(ids), seconds=60)
    for worker in WORKERS[1:]:
        chaos.stack.stop(worker)


@pytest.mark.parametrize("lost", ["its last moments", "all its data"])
def test_what_the_broker_had_confirmed_and_lost_is_published_again(chaos, under_load, lost):
    """While no worker runs, so that the broker alone has the events. A mailed token is gone: its owner asks again."""
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
        run.note = f"{len(ids) - chaos.mailed(ids)} of {len(ids)} confirmed events not told before republish_events"
        assert chaos.mailed(ids) < len(ids)
        for service in ("users", "auth"):
            chaos.stack.manage(service, "republish_events", "--since", since)
    shutil.rmtree(copy, ignore_errors=True)
    assert all("password_reset_requested_event" in each for each in run.findings.lost.values()), run.findings.lost
