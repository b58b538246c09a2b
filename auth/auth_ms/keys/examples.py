"""Examples for the OpenAPI document."""

from drf_spectacular.utils import OpenApiExample

KEYS = OpenApiExample(
    "one key",
    value={
        "keys": [
            {
                "kty": "EC",
                "crv": "P-256",
                "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",  # pragma: allowlist secret
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",  # pragma: allowlist secret
                "kid": "1f8a0c3de94b4b7c8e1d2f3a4b5c6d7e",  # pragma: allowlist secret
                "use": "sig",
                "alg": "ES256",
            }
        ]
    },
    response_only=True,
    status_codes=["200"],
)
