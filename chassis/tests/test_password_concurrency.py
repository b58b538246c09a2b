import threading

import pytest

from chassis.http.errors import ServiceUnavailable
from chassis.security.password_concurrency import ConcurrencyLimit
from chassis.testing.waiting import eventually


def test_callers_beyond_running_and_waiting_are_rejected_at_once():
    limit, go_on, running = ConcurrencyLimit(running=1, waiting=1), threading.Event(), []

    def work():
        with limit.slot():
            running.append(threading.current_thread().name)
            go_on.wait(10)

    threads = [threading.Thread(target=work) for _ in range(2)]
    threads[0].start()
    eventually(lambda: len(running) == 1)
    threads[1].start()
    eventually(lambda: limit._places._value == 0)

    with pytest.raises(ServiceUnavailable) as rejected, limit.slot():
        pass
    assert rejected.value.headers == {"Retry-After": "1"}
    assert len(running) == 1

    go_on.set()
    for thread in threads:
        thread.join(10)
    assert len(running) == 2
    with limit.slot():  # a slot is free again
        pass
