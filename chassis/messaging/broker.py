"""What a connection to RabbitMQ needs beside its URL, who is at its ends, and what no message may ask for.

Each process has a broker user of its own, named like the process. A message carries the user that published it
(https://www.rabbitmq.com/docs/validated-user-id), so a consumer knows which process a message is from.
"""

import ssl
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

from django.conf import settings
from kombu import compression

from chassis.operations.environment import ConfigurationError


def url_of_this_process() -> str:
    """`BROKER_URL`, which only processes that use the broker have. Raises ConfigurationError where it is missing."""
    if not settings.BROKER_URL:
        raise ConfigurationError(
            f"{settings.SERVICE} cannot start: BROKER_URL is not set. "
            "It is: RabbitMQ, as the user of this process, amqp://user:password@host:5672/%2F"
        )
    return str(settings.BROKER_URL)


def user_of(url: str) -> str:
    """The broker user of a URL."""
    return unquote(urlsplit(url).username or "")


def relay_of(service: str) -> str:
    """The broker user of a service's relay, which publishes its events: users-outbox-relay for users-ms."""
    return f"{service.removesuffix('-ms')}-outbox-relay"


def tls(url: str) -> dict[str, Any] | None:
    """For `amqps://`: the certificate must be of a CA that this process trusts, and of the host that the URL names.

    kombu by itself checks the first alone. The CAs are the system's, or those of the file that SSL_CERT_FILE names.
    """
    parts = urlsplit(url)
    if parts.scheme != "amqps":
        return None
    return {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": parts.hostname}


def _refuse(_: bytes) -> NoReturn:
    raise ValueError("compressed messages are refused")


# kombu decompresses what a header calls compressed while it receives it, before anything of ours can look at its size,
# and a megabyte may become a gigabyte. None of our producers compresses.
for _name in compression.encoders():
    compression.register(_refuse, _refuse, _name)
