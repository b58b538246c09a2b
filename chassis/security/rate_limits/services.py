"""Rate limits, enforced with one SQL statement per request."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils.crypto import salted_hmac

from chassis.http import rate_limit_headers
from chassis.http.errors import TooManyRequests
from chassis.operations import pruning
from chassis.security.rate_limits.models import RateLimit


@dataclass(frozen=True, kw_only=True)
class Limit:
    """At most `times` requests at once, and one more every `seconds / times` seconds.

    A limit that `is_shown` has RateLimit headers in the response. That is only for one whose key is the caller's own
    network, account, client or token: the state of others would tell what somebody else does.
    """

    name: str
    times: int
    seconds: int
    is_shown: bool = False

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
        taken = cursor.fetchone()
        if taken is None:
            cursor.execute(_WAIT, values)
            waiting = cursor.fetchone()
    shown = {"times": limit.times, "seconds": limit.seconds}
    if taken is not None:
        if limit.is_shown:
            rate_limit_headers.show(limit.name, **shown, used=float(taken[0]))
        return
    rejection = TooManyRequests(retry_after_seconds=float(waiting[0]) if waiting else 1)
    if limit.is_shown:
        seconds = int(rejection.headers["Retry-After"])
        rate_limit_headers.show_exceeded(limit.name, **shown, retry_after_seconds=seconds)
    raise rejection


def prune(*, at: datetime) -> None:
    """Deletes the state of limits that are completely unused again."""
    pruning.delete(RateLimit.objects.filter(free_at__lt=at))


_TAKE = """
    INSERT INTO rate_limits_ratelimit AS stored (key, free_at) VALUES (%(key)s, clock_timestamp() + %(interval)s)
    ON CONFLICT (key) DO UPDATE SET free_at = greatest(stored.free_at, clock_timestamp()) + %(interval)s
    WHERE greatest(stored.free_at, clock_timestamp()) + %(interval)s <= clock_timestamp() + %(window)s
    RETURNING extract(epoch FROM free_at - clock_timestamp())
"""
_WAIT = """
    SELECT extract(epoch FROM free_at + %(interval)s - %(window)s - clock_timestamp())
    FROM rate_limits_ratelimit WHERE key = %(key)s
"""
