"""What a connection to RabbitMQ needs beside its URL."""

import ssl
from typing import Any
from urllib.parse import urlsplit


def tls(url: str) -> dict[str, Any] | None:
    """For `amqps://`: the certificate must be of a CA that this process trusts, and of the host that the URL names.

    kombu by itself checks the first alone. The CAs are the system's, or those of the file that SSL_CERT_FILE names.
    """
    parts = urlsplit(url)
    if parts.scheme != "amqps":
        return None
    return {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": parts.hostname}
