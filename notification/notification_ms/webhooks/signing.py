"""Signatures of Standard Webhooks (https://www.standardwebhooks.com), symmetric: `v1,` and an HMAC-SHA256 in base64."""

import base64
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime

PREFIX = "whsec_"
_BYTES = 32  # the specification: 24 to 64


def new_secret() -> str:
    """A random secret in the form that receivers are given."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def headers(*, message_id: str, body: bytes, keys: Iterable[str], at: datetime) -> dict[str, str]:
    """The headers of a message, signed with each of `keys`, separated by spaces."""
    timestamp = str(int(at.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = (hmac.digest(base64.b64decode(key.removeprefix(PREFIX)), signed, "sha256") for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{base64.b64encode(each).decode()}" for each in signatures),
    }
