"""How long sessions last: by settings that count at once, for sessions that are open too."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q

from auth_ms.sessions.models import Session


@dataclass(frozen=True, kw_only=True)
class Lifetime:
    """How long a session lasts without use (`idle`), and at most (`absolute`)."""

    idle: timedelta
    absolute: timedelta


def by_kind() -> list[tuple[dict[str, Any], Lifetime]]:
    """The kinds of sessions: the members that a session of each has, and how long it lasts.

    Sessions of users, those of applications with offline_access, and those in which an admin acts as the user.
    """
    return [
        ({"actor_id__isnull": True, "is_offline": False}, _of_users()),
        ({"actor_id__isnull": True, "is_offline": True}, _of_applications()),
        ({"actor_id__isnull": False}, _of_actors()),
    ]


def lifetime_of(session: Session) -> Lifetime:
    """How long a session like this one lasts."""
    if session.is_impersonated:
        return _of_actors()
    return _of_applications() if session.is_offline else _of_users()


def _of_users() -> Lifetime:
    return _lifetime(settings.REFRESH_TOKEN_SECONDS, settings.SESSION_SECONDS)


def _of_applications() -> Lifetime:
    return _lifetime(settings.OFFLINE_REFRESH_TOKEN_SECONDS, settings.OFFLINE_SESSION_SECONDS)


def _of_actors() -> Lifetime:
    return _lifetime(settings.IMPERSONATION_SECONDS, settings.IMPERSONATION_SECONDS)


def _lifetime(idle: int, absolute: int) -> Lifetime:
    return Lifetime(idle=timedelta(seconds=idle), absolute=timedelta(seconds=absolute))


def unexpired(*, at: datetime) -> Q:
    """The condition of sessions that have expired neither by inactivity nor by age."""
    found = Q()
    for members, life in by_kind():
        found |= Q(**members, last_used_at__gt=at - life.idle, created_at__gt=at - life.absolute)
    return found


def end_of(session: Session) -> datetime:
    """When a session ends unless it is used before; with its age, at the latest."""
    life = lifetime_of(session)
    unused: datetime = session.last_used_at + life.idle
    old: datetime = session.created_at + life.absolute
    return min(unused, old)
