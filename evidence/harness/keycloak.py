"""Users as Keycloak exports them."""

import base64
import hashlib
import json
import secrets
from typing import Any

from argon2.low_level import Type, hash_secret_raw

Credential = dict[str, Any]


def user(credential: Credential, **changes: Any) -> dict[str, Any]:
    """A user of a realm, with an address that no other test uses."""
    number = secrets.token_hex(8)
    return {
        "id": f"8d2f7c11-{number}",
        "username": f"ada-{number}",
        "email": f"ada.{number}@example.org",
        "emailVerified": True,
        "firstName": "Ada",
        "lastName": "Lovelace",
        "enabled": True,
        "createdTimestamp": 1611230523301,
        "attributes": {"department": ["engines"]},
        "credentials": [credential],
        "realmRoles": ["offline_access"],
    } | changes


def pbkdf2(password: str, algorithm: str, digest: str, iterations: int) -> Credential:
    """A password as Keycloak 12 to 23 keeps it, such as `pbkdf2-sha256` with 27,500 iterations and 64 bytes."""
    salt = secrets.token_bytes(16)
    value = hashlib.pbkdf2_hmac(digest, password.encode(), salt, iterations, 64)
    return _credential(value, salt, {"hashIterations": iterations, "algorithm": algorithm, "additionalParameters": {}})


def argon2(password: str) -> Credential:
    """A password as Keycloak 25 and later keep it by default."""
    salt = secrets.token_bytes(16)
    value = hash_secret_raw(
        password.encode(), salt, time_cost=5, memory_cost=7168, parallelism=1, hash_len=32, type=Type.ID
    )
    parameters = {"hashLength": ["32"], "memory": ["7168"], "type": ["id"], "version": ["1.3"], "parallelism": ["1"]}
    return _credential(value, salt, {"hashIterations": 5, "algorithm": "argon2", "additionalParameters": parameters})


def _credential(value: bytes, salt: bytes, made: dict[str, Any]) -> Credential:
    secret = {
        "value": base64.b64encode(value).decode(),
        "salt": base64.b64encode(salt).decode(),
        "additionalParameters": {},
    }
    return {"type": "password", "secretData": json.dumps(secret), "credentialData": json.dumps(made)}
