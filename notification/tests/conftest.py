"""Fixtures of notification-ms's tests, with a mail server."""

import logging
import socket
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from chassis.testing.callers import auth_service, caller, signing_keys
from chassis.testing.last_answers import last_answers, pytest_runtest_makereport
from chassis.testing.static_files import find_static_files_on_request
from notification.tests.builders import PRIVATE_KEY

__all__ = [
    "auth_service",
    "caller",
    "find_static_files_on_request",
    "last_answers",
    "mail_server",
    "pytest_runtest_makereport",
    "signing_keys",
]


logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd logs every connection


class MailServer:
    """An SMTP server that answers each mail with the next of `replies`, then with 250."""

    def __init__(self) -> None:
        self.replies: list[str] = []
        self.connections = 0
        self.mails: list[EmailMessage] = []
        self.controller = Controller(self, hostname="127.0.0.1", port=_free_port())
        self.controller.start()

    async def handle_EHLO(
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    def stop(self) -> None:
        """Refuses connections from now on; a second call has no effect."""
        if self.controller.server is not None:
            self.controller.stop()

    @property
    def port(self) -> int:
        return int(self.controller.port)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.replies:
            return self.replies.pop(0)
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(autouse=True)
def key_of_this_service(settings: Any) -> None:
    """The private key for secrets that the builders encrypt."""
    settings.SEALING_PRIVATE_KEY = PRIVATE_KEY


@pytest.fixture
def mail_server(settings: Any) -> Iterator[MailServer]:
    server = MailServer()
    settings.EMAIL_BACKEND = (
        "django.core.mail.backends.smtp.EmailBackend"  # instead of pytest-django's backend in memory
    )
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    yield server
    server.stop()
