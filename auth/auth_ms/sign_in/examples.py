"""Examples for the OpenAPI document."""

from drf_spectacular.utils import OpenApiExample

LOGIN = OpenApiExample(
    "a login", value={"username": "ada@example.org", "password": "correct horse battery"}, request_only=True
)
TOKENS = OpenApiExample(
    "tokens",
    value={
        "access_token": "eyJhbGciOiJFUzI1NiIsImtpZCI6IjFmIn0.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "token_type": "Bearer",
        "expires_in": 300,
        "refresh_token": "0vYbT1uK3z9mQ2cH7rJ5xW8nL4pS6dF1gA0eI2oU9kE",
        "refresh_expires_in": 2592000,
    },
    response_only=True,
    status_codes=["200"],
)
KEYS = OpenApiExample(
    "one key",
    value={
        "keys": [
            {
                "kty": "EC",
                "crv": "P-256",
                "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
                "kid": "1f8a0c3de94b4b7c8e1d2f3a4b5c6d7e",
                "use": "sig",
                "alg": "ES256",
            }
        ]
    },
    response_only=True,
    status_codes=["200"],
)
