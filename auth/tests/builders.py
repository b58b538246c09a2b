"""Valid defaults; a test states only what matters to it."""

import json
from typing import Any

from django.contrib.auth import hashers

from chassis.outbox.models import OutboxMessage
from chassis.security import encryption

PASSWORD = "correct horse battery"
SEALING_PRIVATE_KEY, SEALING_PUBLIC_KEY = encryption.generate_key_pair()


def password_hash(password: str, *, cost: int = 4) -> str:
    """A bcrypt hash as users-ms makes it."""
    hasher = hashers.BCryptSHA256PasswordHasher()
    hasher.rounds = cost
    return str(hasher.encode(password, hasher.salt()))


def argon2id_hash(password: str, *, memory: int = 64, passes: int = 1) -> str:
    """An argon2id hash as users-ms makes it when configured; `memory` in KiB."""
    hasher = hashers.Argon2PasswordHasher()
    hasher.memory_cost, hasher.time_cost, hasher.parallelism = memory, passes, 1
    return str(hasher.encode(password, hasher.salt()))


PASSWORD_HASH = password_hash(PASSWORD)  # made once: over a thousand tests store it


def as_json(value: Any) -> dict[str, Any]:
    """Arguments for the test client that send `value` as a JSON body."""
    return {"data": json.dumps(value), "content_type": "application/json"}


def credentials(**changes: Any) -> dict[str, Any]:
    """The credentials of Ada that users-ms returns."""
    return {
        "id": 7,
        "email": "ada@example.org",
        "password_hash": PASSWORD_HASH,
        "name": "Ada",
        "surname": "Lovelace",
        "phone": "",
        "locale": "en",
        "time_zone": "UTC",
        "is_active": True,
        "is_admin": False,
        "scopes": [],
        "email_verified": True,
        "phone_verified": False,
        "pending_email": "",
        "password_version": 1,
        "password_change_id": None,
        "a_field_of_a_newer_users_ms": 1,
    } | changes


def login(**changes: Any) -> dict[str, Any]:
    """Arguments for `client.post` that sign Ada in."""
    fields = {"username": "ada@example.org", "password": PASSWORD} | changes
    return as_json(fields)


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    """The header with an access token."""
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def recorded(kind: str) -> list[dict[str, Any]]:
    """The data of the recorded events of a kind, oldest first."""
    return [message.body["data"] for message in OutboxMessage.objects.filter(exchange=kind).order_by("id")]


def mailed_token(kind: str = "password_reset_requested_event", member: str = "sealed_token") -> str:
    """The token, or another sealed member, of the last event of a kind, as notification-ms decrypts it."""
    return decrypted(recorded(kind)[-1][member], kind)


def decrypted(encrypted: str, kind: str) -> str:
    """The secret of an event of `kind`, decrypted as notification-ms does."""
    return encryption.decrypt_with_private_key(encrypted, private_key=SEALING_PRIVATE_KEY, info=kind)
