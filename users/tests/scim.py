"""Clients of SCIM for tests."""

import json
from typing import Any

from django.test import Client
from django.utils import timezone

from chassis.outbox.models import OutboxMessage
from chassis.security import personal_tokens
from users_ms.organisations.models import Organisation
from users_ms.scim import selectors, services
from users_ms.scim.models import ScimClient

BASE = "/users-ms/scim/v2"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


def a_scim_client(organisation: Organisation, *, domains: list[str]) -> str:
    """The token of a stored client."""
    token = personal_tokens.make(services.TOKEN_PREFIX)
    ScimClient.objects.create(
        organisation=organisation,
        name="Entra ID",
        domains=domains,
        token_hash=selectors.hash_of(token),
        created_at=timezone.now(),
    )
    return token


class Scim:
    """Requests with a token, as an identity provider sends them."""

    def __init__(self, token: str) -> None:
        self._client = Client(headers={"Authorization": f"Bearer {token}", "User-Agent": "Okta SCIM Client 1.0.0"})

    def get(self, path: str, **query: Any) -> Any:
        return self._client.get(BASE + path, query)

    def delete(self, path: str) -> Any:
        return self._client.delete(BASE + path)

    def post(self, path: str, body: Any) -> Any:
        return self._send("POST", path, body)

    def put(self, path: str, body: Any) -> Any:
        return self._send("PUT", path, body)

    def patch(self, path: str, *operations: Any) -> Any:
        schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]
        return self._send("PATCH", path, {"schemas": schemas, "Operations": list(operations)})

    def _send(self, method: str, path: str, body: Any) -> Any:
        return self._client.generic(method, BASE + path, json.dumps(body), "application/scim+json")


def ada(**changes: Any) -> dict[str, Any]:
    """A user as Okta sends it."""
    email = {"primary": True, "value": "ada@acme.example", "type": "work"}
    return {
        "schemas": [USER],
        "userName": "ada@acme.example",
        "name": {"givenName": "Ada", "familyName": "Lovelace"},
        "emails": [email],
        "displayName": "Ada Lovelace",
        "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [],
        "password": "1mz050nq",  # pragma: allowlist secret
        "active": True,
    } | changes


def provisioned(scim: Scim, **changes: Any) -> dict[str, Any]:
    """The representation of a new user."""
    answer = scim.post("/Users", ada(**changes))
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def events(exchange: str) -> list[dict[str, Any]]:
    """The data of what was published, in its order."""
    return [row.body["data"] for row in OutboxMessage.objects.filter(exchange=exchange).order_by("id")]


def error(answer: Any) -> tuple[int, str | None]:
    """Status and `scimType` of an error, whose form is right."""
    assert answer.headers["Content-Type"] == "application/scim+json"
    body = answer.json()
    assert body["schemas"] == [ERROR] and body["status"] == str(answer.status_code) and body["detail"]
    return answer.status_code, body.get("scimType")
