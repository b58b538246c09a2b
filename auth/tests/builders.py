"""Valid defaults; a test says only what matters to it."""

import json
from typing import Any

from django.contrib.auth import hashers

PASSWORD = "correct horse battery"


def credentials(**changes: Any) -> dict[str, Any]:
    """What users-ms answers for Ada."""
    encoded = hashers.BCryptSHA256PasswordHasher()
    encoded.rounds = 4
    return {
        "id": 7,
        "email": "ada@example.org",
        "password_hash": encoded.encode(PASSWORD, encoded.salt()),
        "name": "Ada",
        "surname": "Lovelace",
        "phone": "",
        "locale": "en",
        "time_zone": "UTC",
        "is_active": True,
        "is_admin": False,
        "email_verified": True,
        "a_field_of_a_newer_users_ms": 1,
    } | changes


def login(**changes: Any) -> dict[str, Any]:
    """Arguments for `client.post` that sign Ada in."""
    fields = {"username": "ada@example.org", "password": PASSWORD} | changes
    return {"data": json.dumps(fields), "content_type": "application/json"}
