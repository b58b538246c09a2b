"""How long sessions last: by settings that count at once, for sessions that are open too."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from auth_ms.sessions.models import Session

KINDS = (False, True)  # of users, and of applications with offline_access


@dataclass(frozen=True, kw_only=True)
class Lifetime:
    """How long a session lasts without use (`idle`), and at most (`absolute`)."""

    idle: timedelta
    absolute: timedelta


def lifetime_of(*, is_offline: bool) -> Lifetime:
    """The lifetime of the sessions of a kind."""
    idle, absolute = (
        (settings.OFFLINE_REFRESH_TOKEN_SECONDS, settings.OFFLINE_SESSION_SECONDS)
        if is_offline
        else (settings.REFRESH_TOKEN_SECONDS, settings.SESSION_SECONDS)
    )
    return Lifetime(idle=timedelta(seconds=idle), absolute=timedelta(seconds=absolute))


def unexpired(*, at: datetime) -> Q:
    """The condition of sessions that have expired neither by inactivity nor by age."""
    found = Q()
    for is_offline in KINDS:
        life = lifetime_of(is_offline=is_offline)
        used, opened = at - life.idle, at - life.absolute
        found |= Q(is_offline=is_offline, last_used_at__gt=used, created_at__gt=opened)
    return found


def end_of(session: Session) -> datetime:
    """When a session ends unless it is used before; with its age, at the latest."""
    life = lifetime_of(is_offline=session.is_offline)
    unused: datetime = session.last_used_at + life.idle
    old: datetime = session.created_at + life.absolute
    return min(unused, old)
