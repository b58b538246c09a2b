"""Rate limits, enforced with one SQL statement per request."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils.crypto import salted_hmac

from chassis.http.errors import TooManyRequests
from chassis.operations import pruning
from chassis.security.rate_limits.models import RateLimit


@dataclass(frozen=True, kw_only=True)
class Limit:
    """At most `times` requests at once, and one more every `seconds / times` seconds."""

    name: str
    times: int
    seconds: int

    @property
    def interval(self) -> timedelta:
        """The time until one more request is allowed."""
        return timedelta(seconds=self.seconds / self.times)


def take(limit: Limit, *, key: str) -> None:
    """Counts one request of `key` against `limit`. Raises TooManyRequests; a rejected request does not count.

    The generic cell rate algorithm (ITU-T I.371, annex A), with the database's clock, which all replicas share.
    """
    values: dict[str, Any] = {
        "key": salted_hmac(f"rate_limits.{limit.name}", key, algorithm="sha256").digest(),
        "interval": limit.interval,
        "window": timedelta(seconds=limit.seconds),
    }
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, values)
        if cursor.fetchone() is not None:
            return
        cursor.execute(_WAIT, values)
        waiting = cursor.fetchone()
    raise TooManyRequests(retry_after_seconds=float(waiting[0]) if waiting else 1)


def prune(*, at: datetime) -> None:
    """Deletes the state of limits that are completely unused again."""
    pruning.delete(RateLimit.objects.filter(free_at__lt=at))


_TAKE = """
    INSERT INTO rate_limits_ratelimit AS stored (key, free_at) VALUES (%(key)s, clock_timestamp() + %(interval)s)
    ON CONFLICT (key) DO UPDATE SET free_at = greatest(stored.free_at, clock_timestamp()) + %(interval)s
    WHERE greatest(stored.free_at, clock_timestamp()) + %(interval)s <= clock_timestamp() + %(window)s
    RETURNING 1
"""
_WAIT = """
    SELECT extract(epoch FROM free_at + %(interval)s - %(window)s - clock_timestamp())
    FROM rate_limits_ratelimit WHERE key = %(key)s
"""
