"""The parts find each other in whatever order they start, on a broker that has nothing yet. Run by `make chaos`."""

import itertools
import shutil
from pathlib import Path

import pytest

from evidence.harness.waiting import eventually

PARTS = ["rabbitmq", "users-outbox-relay", "notification-email-worker"]


@pytest.mark.parametrize("order", list(itertools.permutations(PARTS)), ids=" then ".join)
def test_broker_relay_and_worker_start_in_any_order(stack, order):
    for part in PARTS:
        stack.stop(part)
    shutil.rmtree(Path(stack.directory) / "rabbitmq" / "data")  # no exchange and no queue is left
    user = stack.sign_up()

    for part in order:
        stack.start(part)

    eventually(lambda: stack.mails(user["email"], "Confirm your email address"))
    assert len(stack.mails(user["email"], "Confirm your email address")) == 1
