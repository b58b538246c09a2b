"""The floor for an endpoint that answers with a signed token: a WSGI application that signs an ES256 JWT, no more."""

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

KEY = ec.generate_private_key(ec.SECP256R1())


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Reads the form, and answers like a token endpoint."""
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    now = int(time.time())
    token = jwt.encode({"sub": "bench", "iat": now, "exp": now + 300}, KEY, algorithm="ES256")
    body = json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": 300}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
