"""Connections to RabbitMQ: TLS, broker users, and no compressed messages.

Each process has its own broker user, named after the process. Messages carry the user that published them, validated by
the broker (https://www.rabbitmq.com/docs/validated-user-id), so a consumer knows which process sent a message.
"""

import ssl
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

from django.conf import settings
from kombu import compression

from chassis.operations.environment import ConfigurationError


def url_of_this_process() -> str:
    """`BROKER_URL`, which only processes that use the broker need. Raises ConfigurationError when it is not set."""
    if not settings.BROKER_URL:
        raise ConfigurationError(
            f"{settings.SERVICE} cannot start: BROKER_URL is not set. "
            "It is: RabbitMQ, as the user of this process, amqp://user:password@host:5672/%2F"
        )
    return str(settings.BROKER_URL)


def user_of(url: str) -> str:
    """The broker user in `url`."""
    return unquote(urlsplit(url).username or "")


def relay_of(service: str) -> str:
    """The broker user of a service's outbox relay: users-outbox-relay for users-ms."""
    return f"{service.removesuffix('-ms')}-outbox-relay"


def tls(url: str) -> dict[str, Any] | None:
    """kombu's TLS options for an `amqps://` URL: verify the CA and the host name; None for `amqp://`.

    kombu by default verifies only the CA. Trusted CAs are the system's, or those in the file SSL_CERT_FILE.
    """
    parts = urlsplit(url)
    if parts.scheme != "amqps":
        return None
    return {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": parts.hostname}


def _reject(_: bytes) -> NoReturn:
    raise ValueError("compressed messages are rejected")


# kombu decompresses messages on receipt, before their size can be checked: a megabyte may become a gigabyte. This
# project's producers do not compress.
for _name in compression.encoders():
    compression.register(_reject, _reject, _name)
