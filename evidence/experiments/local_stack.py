"""A stack of local processes for one experiment, like that of the chaos tests."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from evidence.chaos.injection import Chaos
from evidence.harness.records import Recorder
from evidence.harness.stack import Stack
from evidence.harness.waiting import eventually
from local import stack
from local.paths import ROOT
from tools.testing import runner

DIRECTORY = ROOT / ".local" / "experiments"
WORKERS = ["auth-event-worker", "notification-email-worker", "notification-sms-worker"]
MAILS_OF_A_SIGN_UP = 2  # the verification mail, and the confirmation
LOGINS_SINCE = "FROM outbox_outboxmessage WHERE id > %s AND exchange = 'user_login_event'"


@contextmanager
def started(recorder: Recorder) -> Iterator[Chaos]:
    """A stack on free ports, with the settings of the tests (bcrypt at its cheapest, no rate limits)."""
    with runner.alone(DIRECTORY):
        stack.clean(DIRECTORY, keep={"lock"})
        recorder.say("starting a stack of local processes")
        try:
            layout = stack.up(DIRECTORY, free_ports=True, variables=runner.VARIABLES)
            os.environ.update(runner.addresses(layout))
            _wait_for_consumers()
            chaos = Chaos(Stack.of_environment())
            eventually(
                lambda: _sent(chaos) >= MAILS_OF_A_SIGN_UP * len(chaos.users)
            )  # so that they do not disturb the measurement
            yield chaos
        finally:
            stack.down(DIRECTORY)
        stack.clean(DIRECTORY, keep={"lock"})


def _wait_for_consumers() -> None:
    """Wait for the queues of all workers. On a new broker, an event that is published while only one of two consumers
    has bound its queue is lost for the other."""
    logs = [DIRECTORY / "logs" / f"{worker}.log" for worker in WORKERS]
    eventually(lambda: all(" ready." in log.read_text() for log in logs))


def _sent(chaos: Chaos) -> int:
    statement = "SELECT count(*) FROM deliveries_delivery WHERE medium = 'email' AND status = 'sent'"
    return int(chaos.query("notification", statement))


def last_event(chaos: Chaos) -> int:
    """The id of the newest event of auth-ms."""
    return int(chaos.query("auth", "SELECT coalesce(max(id), 0) FROM outbox_outboxmessage"))


def login_events(chaos: Chaos, after: int) -> list[str]:
    """The event ids of the logins recorded since."""
    found = chaos.query("auth", f"SELECT coalesce(array_agg(body->>'id'), '{{}}') {LOGINS_SINCE}", after)
    return [str(event_id) for event_id in found]
