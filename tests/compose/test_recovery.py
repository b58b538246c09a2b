"""A killed container of each kind is restarted."""

import os
import signal

import pytest

from evidence.harness.containers import SERVICES
from evidence.harness.waiting import eventually


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_is_restarted_after_its_process_is_killed(containers, all_is_well, service):
    """Killed from the host, as by the OOM killer; the engine does not restart after `docker kill`."""
    [container] = containers.of(service)
    before = containers.inspect(container)

    os.kill(before["State"]["Pid"], signal.SIGKILL)

    def restarted():
        now = containers.inspect(container)
        return now["RestartCount"] > before["RestartCount"] and now["State"]["Running"]

    eventually(restarted)
    all_is_well()
