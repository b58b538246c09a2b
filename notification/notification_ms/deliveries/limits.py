"""How much one recipient is told at most; what is above that is held back, and counted for a digest."""

from datetime import datetime, timedelta

from django.conf import settings

from chassis import addresses
from notification_ms.deliveries.models import Tally
from notification_ms.deliveries.notices import Notice


def is_used_up(notice: Notice, *, medium: str, recipient: str, at: datetime) -> bool:
    """Count one notice more to `recipient`; True when it is one too many.

    The recipient counts, in whatever account it stands: an address of somebody else may stand in many.
    """
    limit: int = settings.NOTICES_OF_A_KIND
    counted = Tally.count(
        medium=medium,
        recipient=addresses.canonical(recipient) if medium == "email" else recipient,
        kind=notice.kind,
        user_id=notice.user_id,
        address=recipient,
        language=notice.language,
        time_zone=notice.time_zone[:100],
        at=at,
        over_since=at - timedelta(seconds=settings.NOTICE_WINDOW_SECONDS),
        limit=limit,
        is_told_later=is_told_later(notice),
    )
    return counted > limit


def is_told_later(notice: Notice) -> bool:
    """True for what a digest counts: only who has shown to be the user gets one."""
    return notice.is_verified and notice.texts.in_digest
