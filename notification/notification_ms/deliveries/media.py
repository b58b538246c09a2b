"""The media over which a notice reaches a user."""

import contextlib
import smtplib
import time
from typing import Any, Protocol
from urllib.parse import quote

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection

from chassis.operations import sockets
from notification_ms.deliveries.failures import PermanentFailure, TransientFailure
from notification_ms.deliveries.notices import Notice


class Medium(Protocol):
    """A channel that delivers notices."""

    name: str

    def recipient(self, notice: Notice) -> str:
        """The user's address on this medium; empty when the user cannot be reached."""

    def send(self, notice: Notice, *, recipient: str, message_id: str) -> None:
        """Deliver the notice. Raises TransientFailure or PermanentFailure."""


class Email:
    """Email over SMTP, as text and HTML; the connection is kept for the next email."""

    name = "email"

    def __init__(self) -> None:
        self._connection: Any = None

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
            mail.connection = self._open_connection()
            mail.send()
        except smtplib.SMTPRecipientsRefused as error:
            code, text = max(error.recipients.values(), default=(550, b""), key=lambda refusal: refusal[0])
            raise _failure(code, _said(text)) from error
        except smtplib.SMTPResponseException as error:
            raise _failure(error.smtp_code, _said(error.smtp_error)) from error
        except (smtplib.SMTPException, OSError) as error:
            self._close_connection()
            raise TransientFailure(f"{type(error).__name__}: {error}") from error
        except ValueError as error:  # a header that Django rejects, such as a recipient with a line break
            reason = f"a header, such as the address, is not well formed ({type(error).__name__})"
            raise PermanentFailure(reason) from None  # the error text contains parts of the address

    def _open_connection(self) -> Any:
        """The connection of the last email if the server still answers on it, else a new one."""
        if self._connection is not None and not self._is_alive():
            self._close_connection()
        if self._connection is None:
            connection = get_connection()
            connection.open()
            self._connection = connection
        return self._connection

    def _is_alive(self) -> bool:
        socket = self._connection.connection and self._connection.connection.sock
        return socket is not None and sockets.is_idle(socket.fileno())

    def _close_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                connection.close()


def _said(text: bytes | str) -> str:
    return text.decode(errors="replace") if isinstance(text, bytes) else text


def _failure(code: int, text: str) -> Exception:
    """RFC 5321, §4.2.1: 4yz is transient, 5yz permanent."""
    return (PermanentFailure if code >= 500 else TransientFailure)(f"SMTP {code}: {text}")


class TextMessage:
    """A text message through the provider in SMS_URL, an Apprise URL."""

    name = "sms"

    def recipient(self, notice: Notice) -> str:
        return notice.phone

    def send(self, notice: Notice, *, recipient: str, message_id: str) -> None:
        import apprise  # imported here so that only workers of this medium load it

        provider = apprise.Apprise()
        if not provider.add(settings.SMS_URL.replace("{phone}", quote(recipient, safe=""))):
            raise PermanentFailure("SMS_URL is no URL that Apprise knows")
        if not provider.notify(body=notice.text("sms.txt"), body_format=apprise.NotifyFormat.TEXT):
            raise TransientFailure("the provider did not take the text message")


_KINDS: dict[str, type[Medium]] = {medium.name: medium for medium in (Email, TextMessage)}
_shared: dict[str, Medium] = {}


def medium_called(name: str) -> Medium:
    """The medium `name`, shared by the consumers of this process. Raises KeyError."""
    if name not in _shared:
        _shared[name] = new_medium(name)
    return _shared[name]


def new_medium(name: str) -> Medium:
    """A medium with separate connections; delayed by SEND_DELAY_SECONDS in experiments. Raises KeyError."""
    medium = _KINDS[name]()
    return _Slow(medium) if settings.SEND_DELAY_SECONDS else medium


class _Slow:
    def __init__(self, medium: Medium) -> None:
        self.name = medium.name
        self.recipient = medium.recipient
        self._medium = medium

    def send(self, notice: Notice, *, recipient: str, message_id: str) -> None:
        time.sleep(settings.SEND_DELAY_SECONDS)
        self._medium.send(notice, recipient=recipient, message_id=message_id)
