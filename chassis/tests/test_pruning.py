"""Pruning: in batches, concurrently with writers, and despite a failing pruner."""

import threading
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chassis.operations import pruning
from chassis.security.rate_limits import services as rate_limits
from chassis.security.rate_limits.models import RateLimit
from chassis.testing.waiting import eventually

NOW = timezone.now()


def limits(times, *, free_at=NOW - timedelta(hours=1), begin=0):
    RateLimit.objects.bulk_create(
        RateLimit(key=number.to_bytes(32, "big"), free_at=free_at) for number in range(begin, begin + times)
    )


def deletes(captured):
    return [query["sql"] for query in captured if query["sql"].startswith("DELETE")]


@pytest.mark.django_db
def test_rows_are_deleted_in_batches(monkeypatch):
    monkeypatch.setattr(pruning, "BATCH", 10)
    limits(25)
    limits(1, free_at=NOW + timedelta(hours=1), begin=100)

    with CaptureQueriesContext(connection) as captured:
        rate_limits.prune(at=NOW)

    assert RateLimit.objects.count() == 1
    assert len(deletes(captured)) == 3


@pytest.mark.django_db(transaction=True)
def test_more_rows_are_deleted_than_one_statement_could_within_its_time_limit(monkeypatch):
    """A trigger makes each row take 2 ms, and the time limit is a second: 1000 rows in one DELETE would take two."""
    monkeypatch.setattr(pruning, "BATCH", 100)
    limits(1000)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_sleep(0.002); RETURN old; END $$;"
            "CREATE TRIGGER slow BEFORE DELETE ON rate_limits_ratelimit FOR EACH ROW EXECUTE FUNCTION slow()"
        )
        cursor.execute("SET statement_timeout = '1s'")
    try:
        with pytest.raises(OperationalError, match="statement timeout"):
            RateLimit.objects.filter(free_at__lt=NOW).delete()

        rate_limits.prune(at=NOW)

        assert not RateLimit.objects.exists()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER slow ON rate_limits_ratelimit; DROP FUNCTION slow(); RESET statement_timeout")


@pytest.mark.django_db(transaction=True)
def test_a_locked_row_is_skipped():
    limits(3)
    is_changed, may_commit = threading.Event(), threading.Event()

    def change():
        try:
            with transaction.atomic():
                RateLimit.objects.filter(key=(1).to_bytes(32, "big")).update(free_at=NOW + timedelta(hours=1))
                is_changed.set()
                may_commit.wait(10)
        finally:
            connection.close()

    other = threading.Thread(target=change)
    other.start()
    try:
        assert is_changed.wait(10)
        rate_limits.prune(at=NOW)  # must not wait for the other transaction
    finally:
        may_commit.set()
        other.join(10)

    [kept] = RateLimit.objects.all()
    assert kept.free_at > NOW


def unexpected_error(*, at):
    raise RuntimeError("unexpected")


def no_database(*, at):
    raise OperationalError("gone")


CALLED = []


@pytest.mark.django_db
def test_a_failing_pruner_does_not_stop_the_others(settings, caplog):
    here = __name__
    settings.PRUNERS = [f"{here}.no_database", f"{here}.unexpected_error", f"{here}.{noted.__name__}"]
    CALLED.clear()

    pruning.run()

    assert len(CALLED) == 1
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]


def noted(*, at):
    CALLED.append(at)


@pytest.mark.django_db(transaction=True)
def test_pruning_starts_at_once_in_a_thread(settings):
    settings.PRUNERS = [f"{__name__}.noted"]
    CALLED.clear()

    pruning.start()

    eventually(lambda: len(CALLED) == 1)
