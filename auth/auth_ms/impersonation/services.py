"""Beginning to act as a user; the session ends as any other."""

from datetime import datetime

from django.conf import settings
from django.db import transaction

from auth_ms import users_client
from auth_ms.audit import services as audit
from auth_ms.factors.services import notices
from auth_ms.sessions import services as sessions
from auth_ms.sessions.services import TokenPair
from chassis.http.client_address import Client
from chassis.http.errors import Problem
from chassis.security.rate_limits import services as rate_limits

BEGUN = rate_limits.Limit(name="impersonation", times=20, seconds=3600)


class ImpersonationOff(Problem):
    """IMPERSONATION_SECONDS is 0."""

    status = 403
    title = "Impersonation is off"
    detail = "Nobody may act as a user here."


class MayNotBeImpersonated(Problem):
    status = 409
    title = "May not be impersonated"
    detail = "Nobody may act as an admin, as an account that is not active, or as themselves."


def check_enabled() -> None:
    """Raises ImpersonationOff unless admins may act as users here."""
    if not settings.IMPERSONATION_SECONDS:
        raise ImpersonationOff


def begin(*, user_id: int, actor_id: int, session_id: int, reason: str, client: Client, at: datetime) -> TokenPair:
    """Open a session in which an admin, signed in with `session_id`, acts as a user, who may be told.

    Raises ImpersonationOff, TooManyRequests, UserNotFound, MayNotBeImpersonated, AuthenticationFailed and
    ServiceUnavailable.
    """
    check_enabled()
    rate_limits.take(BEGUN, key=str(actor_id))
    user = users_client.find_user(user_id=user_id)
    if user.is_admin or not user.is_active or user_id == actor_id:
        raise MayNotBeImpersonated
    with transaction.atomic():
        sessions.lock_live_session(session_id=session_id)
        pair = sessions.open_impersonated_session(user=user, actor_id=actor_id, at=at)
        audit.record(
            audit.Event.IMPERSONATION_STARTED,
            client=client,
            at=at,
            user_id=user_id,
            actor_id=actor_id,
            session_id=pair.session.id,
            reason=reason,
        )
        if settings.IMPERSONATION_NOTICE:
            change = notices.Change.IMPERSONATION_STARTED
            notices.record(change, contact=user.contact, client=None, at=at)  # nothing of the admin's device
    return pair
