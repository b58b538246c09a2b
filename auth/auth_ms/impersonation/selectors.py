"""Who acts as whom."""

from datetime import datetime

from django.db.models import QuerySet

from auth_ms.sessions import selectors as sessions
from auth_ms.sessions.models import Session


def running(*, at: datetime) -> QuerySet[Session]:
    """The live sessions in which an admin acts as a user."""
    return sessions.live_sessions(at=at).filter(actor_id__isnull=False)
