"""What follows from events of users-ms and auth-ms itself; handled by the event worker. Each may come twice."""

from datetime import datetime

from django.db import transaction

from auth_ms.sign_in import audit
from auth_ms.sign_in.models import OneTimeToken, RefreshToken, Session
from auth_ms.sign_in.services import second_factors, sessions


def forget_user(*, user_id: int, at: datetime) -> None:
    """End the sessions of a user who was deleted, and forget its tokens, factors, addresses and devices.

    The audit log stays: it names the user by the id alone, which nobody else will ever have.
    """
    with transaction.atomic():
        ended = sessions.end_sessions_of(user_id=user_id, at=at)
        RefreshToken.objects.filter(session__user_id=user_id).delete()
        Session.objects.filter(user_id=user_id).update(address=None, user_agent="")
        OneTimeToken.objects.filter(user_id=user_id).delete()
        second_factors.forget(user_id=user_id)
        if not audit.says_deleted(user_id=user_id):
            audit.record(audit.Event.USER_DELETED, client=None, at=at, user_id=user_id, sessions=ended)


def end_sessions_of_old_password(*, user_id: int, changed_at: datetime, kept: int | None, at: datetime) -> None:
    """End the sessions whose login had read the old password just before it was changed."""
    sessions.end_sessions_of(user_id=user_id, but=kept, begun_before=changed_at, at=at)
