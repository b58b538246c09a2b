"""Examples for the OpenAPI document."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

from users_ms.scim import schemas
from users_ms.scim.resources import GROUP, MEDIA_TYPE, USER

_PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
_TIMES = {"created": "2026-01-31T12:00:00.000Z", "lastModified": "2026-01-31T12:00:00.000Z"}


def _given(name: str, value: Any, *, media_type: str = MEDIA_TYPE) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True, media_type=media_type)


def _answer(name: str, value: Any, *, media_type: str = MEDIA_TYPE) -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=["200", "201"], media_type=media_type)


_USER = {
    "userName": "ada@acme.example",
    "externalId": "00u1dhhb1fkIGP7RL1d8",
    "name": {"givenName": "Ada", "familyName": "Lovelace"},
    "emails": [{"value": "ada@acme.example", "type": "work", "primary": True}],
    "active": True,
}
_SHOWN_USER = (
    {"schemas": [USER], "id": "7"}
    | _USER
    | {"meta": {"resourceType": "User", "location": "/users-ms/scim/v2/Users/7"} | _TIMES}
)
_GROUP = {"displayName": "Engineering", "members": [{"value": "7"}]}
_SHOWN_GROUP = {
    "schemas": [GROUP],
    "id": "3",
    "displayName": "Engineering",
    "members": [{"value": "7", "type": "User"}],  # and $ref, which linters of OpenAPI would follow
    "meta": {"resourceType": "Group", "location": "/users-ms/scim/v2/Groups/3"} | _TIMES,
}
NEW_USER = _given("a user", {"schemas": [USER]} | _USER)
SHOWN_USER = _answer("a user", _SHOWN_USER)
USERS = _answer("a page of users", schemas.list_response([_SHOWN_USER]))
USER_PATCH = _given(
    "deactivation", {"schemas": [_PATCH], "Operations": [{"op": "replace", "path": "active", "value": False}]}
)
NEW_GROUP = _given("a group", {"schemas": [GROUP]} | _GROUP)
SHOWN_GROUP = _answer("a group", _SHOWN_GROUP)
GROUPS = _answer("a page of groups", schemas.list_response([_SHOWN_GROUP]))
GROUP_PATCH = _given(
    "one member more",
    {"schemas": [_PATCH], "Operations": [{"op": "add", "path": "members", "value": [{"value": "7"}]}]},
)
SERVICE_PROVIDER_CONFIG = _answer("what is supported", schemas.SERVICE_PROVIDER_CONFIG)
RESOURCE_TYPES = _answer("all", schemas.list_response(list(schemas.RESOURCE_TYPES.values())))
RESOURCE_TYPE = _answer("of users", schemas.RESOURCE_TYPES["User"])
SCHEMA = _answer("of groups", schemas.SCHEMAS[GROUP])
SCHEMAS = _answer("one of them", schemas.list_response([schemas.SCHEMAS[GROUP]]))

_JSON = "application/json"
_CLIENT = {"name": "Entra ID", "domains": ["acme.example"]}
_FACTS = {"id": 5} | _CLIENT | {"created_at": "2026-01-31T12:00:00Z", "last_used_at": None}
_TOKEN = "tsr_scim_0Vbq3UxT7nK2mR9sLdYw4HcJf8PzG1aEoXi6TkQvNy5B0000000"  # noqa: S105  # nosec B105  # pragma: allowlist secret
NEW_CLIENT = _given("a client", _CLIENT, media_type=_JSON)
CREATED_CLIENT = _answer("a client with its token", _FACTS | {"token": _TOKEN}, media_type=_JSON)
CLIENT = _answer("a client", _FACTS, media_type=_JSON)
