from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

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
