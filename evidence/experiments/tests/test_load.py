"""The load client counts what it was answered, and a failure in a background thread is not lost."""

import pytest
import requests

from evidence.harness.background import repeating
from evidence.harness.load import traffic
from evidence.harness.waiting import eventually


def response(status):
    answer = requests.Response()
    answer.status_code, answer.url, answer._content = status, "http://stack/path", b"text"
    return answer


def unreachable():
    raise requests.ConnectionError("connection rejected")


def test_traffic_counts_every_request_and_describes_those_that_failed():
    kinds = []
    calls = {"good": lambda: response(200), "overloaded": lambda: response(503), "unreachable": unreachable}

    with traffic(calls, on_answer=lambda answer: kinds.append((answer.kind, answer.status))) as seen:
        eventually(lambda: seen.served >= 30)

    assert seen.served == len(kinds)
    assert set(kinds) == {("good", 200), ("overloaded", 503), ("unreachable", 0)}
    assert len(seen.failures) == sum(status != 200 for _, status in kinds)
    assert any("overloaded 503 http://stack/path text" in failure for failure in seen.failures)
    assert any("unreachable 0 ConnectionError" in failure for failure in seen.failures)


def test_an_exception_in_a_background_thread_is_raised_when_the_block_ends():
    def fail():
        raise ValueError("no sample")

    with pytest.raises(ValueError, match="no sample"), repeating(fail):
        pass
