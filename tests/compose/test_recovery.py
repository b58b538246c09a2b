"""A container of each kind dies, and comes back by itself."""

import os
import signal

import pytest

from evidence.harness.containers import SERVICES
from evidence.harness.waiting import eventually


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_whose_process_is_killed_comes_back(containers, all_is_well, service):
    """Killed from outside, as by a lack of memory; `docker kill` would count as stopped on purpose."""
    [container] = containers.of(service)
    before = containers.inspect(container)

    os.kill(before["State"]["Pid"], signal.SIGKILL)

    def restarted():
        now = containers.inspect(container)
        return now["RestartCount"] > before["RestartCount"] and now["State"]["Running"]

    eventually(restarted)
    all_is_well()
