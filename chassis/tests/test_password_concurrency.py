import threading

import pytest

from chassis.http.errors import ServiceUnavailable
from chassis.security.password_concurrency import Turns
from chassis.testing.waiting import eventually


def test_so_much_runs_so_much_waits_and_the_next_is_refused_at_once():
    turns, go_on, running = Turns(running=1, waiting=1), threading.Event(), []

    def work():
        with turns.turn():
            running.append(threading.current_thread().name)
            go_on.wait(10)

    threads = [threading.Thread(target=work) for _ in range(2)]
    threads[0].start()
    eventually(lambda: len(running) == 1)
    threads[1].start()
    eventually(lambda: turns._places._value == 0)

    with pytest.raises(ServiceUnavailable) as refused, turns.turn():
        pass
    assert refused.value.headers == {"Retry-After": "1"}
    assert len(running) == 1

    go_on.set()
    for thread in threads:
        thread.join(10)
    assert len(running) == 2
    with turns.turn():  # and there is room again
        pass
