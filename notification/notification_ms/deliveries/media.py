"""The media: how a notice reaches a person."""

import smtplib
import time
from typing import Protocol
from urllib.parse import quote

from django.conf import settings
from django.core.mail import EmailMultiAlternatives

from notification_ms.deliveries.failures import PermanentFailure, TransientFailure
from notification_ms.deliveries.notices import Notice


class Medium(Protocol):
    """A way to reach people."""

    name: str

    def recipient(self, notice: Notice) -> str:
        """Where this medium reaches the person; empty when it cannot."""

    def send(self, notice: Notice, *, recipient: str, message_id: str) -> None:
        """Hand the notice over. Raises TransientFailure or PermanentFailure."""


class Email:
    """Mail over SMTP, as text and HTML."""

    name = "email"

    def recipient(self, notice: Notice) -> str:
        return notice.email

    def send(self, notice: Notice, *, recipient: str, message_id: str) -> None:
        mail = EmailMultiAlternatives(
            subject=notice.text("subject.txt"),
            body=notice.text("body.txt"),
            to=[recipient],
            headers={"Message-ID": message_id, "Auto-Submitted": "auto-generated"},
        )
        mail.attach_alternative(notice.text("body.html"), "text/html")
        try:
            mail.send()
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise _failure(max(codes, default=550), str(error.recipients)) from error
        except smtplib.SMTPResponseException as error:
            raise _failure(error.smtp_code, str(error.smtp_error)) from error
        except (smtplib.SMTPException, OSError) as error:
            raise TransientFailure(f"{type(error).__name__}: {error}") from error
        except ValueError as error:  # a header that Django refuses, such as a recipient with a line break
            raise PermanentFailure(str(error)) from error


def _failure(code: int, text: str) -> Exception:
    """RFC 5321, §4.2.1: 4yz may work later, 5yz will not."""
    return (PermanentFailure if code >= 500 else TransientFailure)(f"SMTP {code}: {text}")


class TextMessage:
    """A text message through whatever provider the Apprise URL in SMS_URL names."""

    name = "sms"

    def recipient(self, notice: Notice) -> str:
        return notice.phone

    def send(self, notice: Notice, *, recipient: str, message_id: str) -> None:
        import apprise  # only the workers of this medium pay for it

        provider = apprise.Apprise()
        if not provider.add(settings.SMS_URL.replace("{phone}", quote(recipient, safe=""))):
            raise PermanentFailure("SMS_URL is no URL that Apprise knows")
        if not provider.notify(body=notice.text("sms.txt"), body_format=apprise.NotifyFormat.TEXT):
            raise TransientFailure("the provider did not take the text message")


_MEDIA: dict[str, Medium] = {medium.name: medium for medium in (Email(), TextMessage())}


def medium_called(name: str) -> Medium:
    """The medium of that name; slowed down by SEND_DELAY_SECONDS for experiments. Raises KeyError."""
    medium = _MEDIA[name]
    return _Slow(medium) if settings.SEND_DELAY_SECONDS else medium


class _Slow:
    def __init__(self, medium: Medium) -> None:
        self.name = medium.name
        self.recipient = medium.recipient
        self._medium = medium

    def send(self, notice: Notice, *, recipient: str, message_id: str) -> None:
        time.sleep(settings.SEND_DELAY_SECONDS)
        self._medium.send(notice, recipient=recipient, message_id=message_id)
