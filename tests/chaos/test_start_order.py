"""Broker, relay and worker may start in any order, on an empty broker. Run by `make chaos`."""

import itertools
import shutil
from pathlib import Path

import pytest

from evidence.harness.waiting import eventually

PROGRAMS = ["rabbitmq", "users-outbox-relay", "notification-email-worker"]


@pytest.mark.parametrize("order", list(itertools.permutations(PROGRAMS)), ids=" then ".join)
def test_broker_relay_and_worker_start_in_any_order(stack, order):
    for program in PROGRAMS:
        stack.stop(program)
    shutil.rmtree(Path(stack.directory) / "rabbitmq" / "data")  # no exchange and no queue is left
    user = stack.sign_up()

    for program in order:
        stack.start(program)

    eventually(lambda: stack.mails(user["email"], "Confirm your email address"))
    assert len(stack.mails(user["email"], "Confirm your email address")) == 1
