import contextlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections
from django.http import HttpResponse
from django.utils import timezone

from chassis.http import rate_limit_headers
from chassis.security.rate_limits import services
from chassis.security.rate_limits.models import RateLimit
from chassis.security.rate_limits.services import Limit, TooManyRequests

THREE_AN_HOUR = Limit(name="three", times=3, seconds=3600)


def taken(limit, *, key, times):
    """How many of `times` attempts are allowed."""
    allowed = 0
    for _ in range(times):
        try:
            services.take(limit, key=key)
            allowed += 1
        except TooManyRequests:
            pass
    return allowed


@pytest.mark.django_db
def test_each_limit_counts_each_key_separately():
    assert taken(THREE_AN_HOUR, key="192.0.2.1", times=5) == 3
    assert taken(THREE_AN_HOUR, key="192.0.2.2", times=5) == 3
    assert taken(Limit(name="other", times=1, seconds=60), key="192.0.2.1", times=5) == 1


@pytest.mark.django_db
def test_a_rejection_says_when_to_retry():
    taken(THREE_AN_HOUR, key="192.0.2.1", times=3)

    with pytest.raises(TooManyRequests) as rejection:
        services.take(THREE_AN_HOUR, key="192.0.2.1")

    assert 1190 <= int(rejection.value.headers["Retry-After"]) <= 1200  # a third of the hour


def headers_after(*limits):
    """The headers after one request of one caller against each limit."""
    response = HttpResponse()
    with rate_limit_headers.collected() as shown:
        for limit in limits:
            with contextlib.suppress(TooManyRequests):
                services.take(limit, key="192.0.2.1")
    shown.set_headers(response)
    return response.get("RateLimit-Policy"), response.get("RateLimit")


def is_at_most(seconds, header):
    """Whether that many seconds are left, less what the test took."""
    return seconds / 2 < int(header.rpartition("t=")[2]) <= seconds


@pytest.mark.django_db
def test_headers_tell_what_is_left_of_a_limit_that_is_shown_and_nothing_of_others():
    shown = Limit(name="three", times=3, seconds=3600, is_shown=True)

    assert headers_after(THREE_AN_HOUR) == (None, None)
    for left in ('"three";r=1;t=', '"three";r=0;t=', '"three";r=0;t='):  # it counted before; the last is rejected
        policy, state = headers_after(shown)
        assert policy == '"three";q=3;w=3600'
        assert state.startswith(left) and is_at_most(1200, state)


@pytest.mark.django_db
def test_headers_list_each_limit_that_counts():
    other = Limit(name="other", times=7, seconds=600, is_shown=True)  # 85.7 s for each request

    assert headers_after(Limit(name="three", times=3, seconds=3600, is_shown=True), other) == (
        '"three";q=3;w=3600, "other";q=7;w=600',
        '"three";r=2;t=1200, "other";r=6;t=86',
    )


@pytest.mark.django_db
def test_the_limits_of_one_request_are_not_in_the_next():
    limit = Limit(name="three", times=3, seconds=3600, is_shown=True)
    with rate_limit_headers.collected() as shown:
        pass
    services.take(limit, key="192.0.2.1")  # in no request, as in a worker
    response = HttpResponse()
    shown.set_headers(response)

    assert "RateLimit" not in response
    assert headers_after() == (None, None)


@pytest.mark.django_db
def test_a_limit_takes_one_statement_whether_or_not_it_is_shown(django_assert_num_queries):
    for is_shown in (False, True):
        with django_assert_num_queries(1):
            headers_after(Limit(name="three", times=3, seconds=3600, is_shown=is_shown))


@pytest.mark.django_db
def test_the_limit_recovers_evenly():
    taken(THREE_AN_HOUR, key="192.0.2.1", times=3)
    row = RateLimit.objects.get()
    row.free_at -= timedelta(minutes=20)
    row.save()

    assert taken(THREE_AN_HOUR, key="192.0.2.1", times=5) == 1


@pytest.mark.django_db
def test_keys_are_hashed_and_unused_limits_are_pruned():
    taken(THREE_AN_HOUR, key="192.0.2.1", times=1)
    assert b"192.0.2.1" not in bytes(RateLimit.objects.get().key)

    services.prune(at=timezone.now())
    assert RateLimit.objects.exists()
    services.prune(at=timezone.now() + timedelta(hours=1))
    assert not RateLimit.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_concurrent_callers_share_one_limit():
    def attempt(_):
        try:
            return taken(THREE_AN_HOUR, key="192.0.2.1", times=4)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 3
