"""The email to WEBHOOK_NOTICE_EMAILS that a webhook was disabled by itself.

notification-ms has no addresses of admins and no right to ask for them, so that operators name who is told.
"""

import logging
import smtplib
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import QuerySet

from notification_ms.webhooks.models import Endpoint, EndpointChange

AGAIN_AFTER = timedelta(minutes=10)  # longer than the mail server may take
logger = logging.getLogger(__name__)
_REASONS = {
    Endpoint.Disabled.FAILING: "It accepted nothing while an event was retried for three days.",
    Endpoint.Disabled.GONE: "Its receiver answered 410, which says that it is gone.",
}


def are_due(*, at: datetime) -> bool:
    """Whether a notice is to be sent."""
    return bool(settings.WEBHOOK_NOTICE_EMAILS) and _due(at).exists()


def send_due(*, at: datetime) -> None:
    """Send the notice of each webhook that was disabled by itself, once; again later when the mail server fails."""
    for endpoint in _due(at).order_by("id"):
        # Claimed without a transaction during the sending; where a worker ends in the middle, it is sent again.
        claimed_until = at + AGAIN_AFTER
        claim = _due(at).filter(id=endpoint.id)
        if not claim.update(notice_due_at=claimed_until):
            continue
        try:
            _mail(endpoint).send()
        except (smtplib.SMTPException, OSError) as error:
            logger.warning(
                "a notice of a disabled webhook could not be sent",
                extra={"webhook_id": endpoint.id, "reason": type(error).__name__},
            )
            continue
        if Endpoint.objects.filter(id=endpoint.id, notice_due_at=claimed_until).update(notice_due_at=None):
            EndpointChange.record("notified", endpoint=endpoint, at=at)


def _due(at: datetime) -> QuerySet[Endpoint]:
    return Endpoint.objects.filter(notice_due_at__lte=at)


def _mail(endpoint: Endpoint) -> EmailMessage:
    """Without the path of the URL, which may contain a secret, and what the receiver said."""
    url = urlsplit(endpoint.url)
    lines = [
        f"Webhook {endpoint.id} was disabled: nothing is sent to it any more.",
        _REASONS[Endpoint.Disabled(endpoint.disabled)],
        "",
        f"Receiver: {url.scheme}://{url.netloc}",
        *([f"Description: {endpoint.description}"] if endpoint.description else []),
        "",
        "The page Webhooks of the console has the errors of its deliveries. Enable it there when the receiver works",
        "again, which sends what was pending, and replay the events since it was disabled. Otherwise delete it.",
    ]
    return EmailMessage(
        subject=f"Webhook {endpoint.id} was disabled",
        body="\n".join(lines),
        to=settings.WEBHOOK_NOTICE_EMAILS,
        headers={
            "Message-ID": f"<webhook.{endpoint.id}.{endpoint.version}@tessera.invalid>",
            "Auto-Submitted": "auto-generated",
        },
    )
