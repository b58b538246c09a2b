"""What a connection to RabbitMQ needs beside its URL, and what no message may ask for."""

import ssl
from typing import Any, NoReturn
from urllib.parse import urlsplit

from kombu import compression


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
