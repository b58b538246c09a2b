"""The limit of notices per recipient; further ones are held back and counted for a digest."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from chassis.http import email_addresses
from notification_ms import topology
from notification_ms.deliveries.models import Delivery, Tally
from notification_ms.deliveries.notices import Notice


def counting(notice: Notice, *, medium: str, recipient: str, at: datetime) -> dict[str, Any]:
    """The arguments of `Delivery.begin` that count one more notice to `recipient`; empty where no limit applies.

    The limit is per recipient and not per account, because an address may appear in several accounts.
    """
    if medium not in topology.PERSONAL_MEDIA:
        return {}
    tally = Tally(
        recipient=email_addresses.canonical(recipient) if medium == "email" else recipient,
        kind=notice.kind,
        address=recipient,
        language=notice.language,
        time_zone=notice.time_zone[:100],
        began_at=at,
        held_back=is_reported_later(notice),
    )
    return {"tally": tally, "window": _window(), "limit": settings.NOTICES_OF_A_KIND}


def reason_to_hold_back(delivery: Delivery, notice: Notice) -> str:
    """The reason to hold back a counted delivery; empty when it is within the limit."""
    if (delivery.counted or 0) <= settings.NOTICES_OF_A_KIND:
        return ""
    consequence = "counted in a digest" if is_reported_later(notice) else "not reported in a digest"
    return f"more than {settings.NOTICES_OF_A_KIND} in {settings.NOTICE_WINDOW_SECONDS} seconds; {consequence}"


def is_reported_later(notice: Notice) -> bool:
    """True for notices that a digest counts: only verified recipients get digests."""
    return notice.is_verified and notice.texts.in_digest


def _window() -> timedelta:
    return timedelta(seconds=settings.NOTICE_WINDOW_SECONDS)
