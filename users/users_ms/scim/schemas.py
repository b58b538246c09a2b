"""What the discovery endpoints say (RFC 7643, §5 to §7): only what is supported, so that clients map nothing else."""

from typing import Any

from users_ms.scim.resources import BASE, GROUP, USER

MAXIMUM_RESULTS = 200
_CORE = "urn:ietf:params:scim:schemas:core:2.0"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"


def _attribute(name: str, description: str, *, kind: str = "string", **changes: Any) -> dict[str, Any]:
    """An attribute as RFC 7643, §7, describes it, with its defaults."""
    facts: dict[str, Any] = {
        "name": name,
        "type": kind,
        "multiValued": False,
        "description": description,
        "required": False,
        "mutability": "readWrite",
        "returned": "default",
    }
    if kind in ("string", "reference"):
        facts |= {"caseExact": False, "uniqueness": "none"}
    return facts | changes


def _part(name: str, description: str, *, kind: str = "string", **changes: Any) -> dict[str, Any]:
    return _attribute(name, description, kind=kind, **changes)


_USER_ATTRIBUTES = [
    _attribute("userName", "The name at the identity provider.", required=True, uniqueness="server"),
    _attribute(
        "name",
        "Given and family name; where there are none, the name to display or that of the address.",
        kind="complex",
        required=True,
        subAttributes=[
            _part("givenName", "The given name.", required=True),
            _part("familyName", "The family name."),
        ],
    ),
    _attribute(
        "emails",
        "The address of the account, of a domain for which the organisation vouches. Of several the primary one counts;"
        " of none userName.",
        kind="complex",
        multiValued=True,
        required=True,
        subAttributes=[
            _part("value", "The address.", required=True, uniqueness="global"),
            _part("type", "What the address is for.", canonicalValues=["work", "home", "other"]),
            _part("primary", "Whether it is the preferred address.", kind="boolean"),
        ],
    ),
    _attribute(
        "active",
        "Whether the user may sign in; true for a new user unless stated. False ends all sessions and tokens.",
        kind="boolean",
        required=True,
    ),
    _attribute(
        "groups",
        "The groups of the user, which change as members of groups.",
        kind="complex",
        multiValued=True,
        mutability="readOnly",
        subAttributes=[
            _part("value", "The id of the group.", mutability="readOnly", caseExact=True),
            _part("$ref", "The group.", kind="reference", mutability="readOnly", referenceTypes=["Group"]),
            _part("display", "The name of the group.", mutability="readOnly"),
        ],
    ),
]
_GROUP_ATTRIBUTES = [
    _attribute("displayName", "The name of the group.", required=True, uniqueness="server"),
    _attribute(
        "members",
        "Users whom the organisation has provisioned.",
        kind="complex",
        multiValued=True,
        subAttributes=[
            _part("value", "The id of the user.", mutability="immutable", caseExact=True),
            _part("$ref", "The user.", kind="reference", mutability="immutable", referenceTypes=["User"]),
            _part("type", "Always User.", mutability="immutable", canonicalValues=["User"]),
        ],
    ),
]


def _read_only(name: str, description: str, *, kind: str = "string", **changes: Any) -> dict[str, Any]:
    return _attribute(name, description, kind=kind, mutability="readOnly", **changes)


def _support(name: str, *parts: dict[str, Any]) -> dict[str, Any]:
    supported = _read_only("supported", "Whether it is supported.", kind="boolean", required=True)
    return _read_only(name, f"{name} of RFC 7644.", kind="complex", required=True, subAttributes=[supported, *parts])


def _whole(name: str) -> dict[str, Any]:
    return _read_only(name, "A limit.", kind="integer", required=True)


_CONFIG_ATTRIBUTES = [
    _read_only("documentationUri", "Where this is described.", kind="reference", referenceTypes=["external"]),
    _support("patch"),
    _support("bulk", _whole("maxOperations"), _whole("maxPayloadSize")),
    _support("filter", _whole("maxResults")),
    _support("changePassword"),
    _support("sort"),
    _support("etag"),
    _read_only(
        "authenticationSchemes",
        "How clients authenticate.",
        kind="complex",
        multiValued=True,
        required=True,
        subAttributes=[
            _read_only("type", "The kind.", required=True, canonicalValues=["oauthbearertoken"]),
            _read_only("name", "Its name.", required=True),
            _read_only("description", "What it is.", required=True),
            _read_only("specUri", "Its specification.", kind="reference", referenceTypes=["external"]),
            _read_only("primary", "Whether it is the preferred one.", kind="boolean"),
        ],
    ),
]
_TYPE_ATTRIBUTES = [
    _read_only("name", "The name.", required=True),
    _read_only("description", "What it is."),
    _read_only("endpoint", "Its path.", kind="reference", required=True, referenceTypes=["uri"]),
    _read_only("schema", "Its schema.", kind="reference", required=True, caseExact=True, referenceTypes=["uri"]),
]


def _of_attributes(*, with_parts: bool) -> list[dict[str, Any]]:
    """The attributes of an attribute; those of its parts have no parts."""
    texts = ("name", "type", "description", "mutability", "returned", "uniqueness")
    found = [_read_only(name, "See RFC 7643, section 7.", required=name in ("name", "type")) for name in texts]
    found += [_read_only(name, "See RFC 7643, section 7.", kind="boolean") for name in ("multiValued", "required")]
    found += [_read_only("caseExact", "See RFC 7643, section 7.", kind="boolean")]
    found += [
        _read_only(name, "See RFC 7643, section 7.", multiValued=True) for name in ("canonicalValues", "referenceTypes")
    ]
    if with_parts:
        parts = _of_attributes(with_parts=False)
        found.append(_read_only("subAttributes", "Its parts.", kind="complex", multiValued=True, subAttributes=parts))
    return found


_SCHEMA_ATTRIBUTES = [
    _read_only("name", "The name.", required=True),
    _read_only("description", "What it is."),
    _read_only(
        "attributes",
        "Its attributes.",
        kind="complex",
        multiValued=True,
        required=True,
        subAttributes=_of_attributes(with_parts=True),
    ),
]


def _schema(urn: str, name: str, description: str, attributes: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "schemas": [f"{_CORE}:Schema"],
        "id": urn,
        "name": name,
        "description": description,
        "attributes": attributes,
        "meta": {"resourceType": "Schema", "location": f"{BASE}/Schemas/{urn}"},
    }


SCHEMAS = {
    urn: _schema(urn, name, description, attributes)
    for urn, name, description, attributes in (
        (USER, "User", "A user whom the organisation provisions.", _USER_ATTRIBUTES),
        (GROUP, "Group", "A group, whose members have its role in the organisation.", _GROUP_ATTRIBUTES),
        (f"{_CORE}:ServiceProviderConfig", "ServiceProviderConfig", "What is supported.", _CONFIG_ATTRIBUTES),
        (f"{_CORE}:ResourceType", "ResourceType", "A kind of resource.", _TYPE_ATTRIBUTES),
        (f"{_CORE}:Schema", "Schema", "A schema.", _SCHEMA_ATTRIBUTES),
    )
}


def _resource_type(name: str, endpoint: str, schema: str, description: str) -> dict[str, Any]:
    return {
        "schemas": [f"{_CORE}:ResourceType"],
        "id": name,
        "name": name,
        "endpoint": endpoint,
        "description": description,
        "schema": schema,
        "meta": {"resourceType": "ResourceType", "location": f"{BASE}/ResourceTypes/{name}"},
    }


RESOURCE_TYPES = {
    "User": _resource_type("User", "/Users", USER, "A user whom the organisation provisions."),
    "Group": _resource_type("Group", "/Groups", GROUP, "A group of the organisation."),
}
SERVICE_PROVIDER_CONFIG = {
    "schemas": [f"{_CORE}:ServiceProviderConfig"],
    "patch": {"supported": True},
    "bulk": {"supported": False, "maxOperations": 0, "maxPayloadSize": 0},
    "filter": {"supported": True, "maxResults": MAXIMUM_RESULTS},
    "changePassword": {"supported": False},
    "sort": {"supported": True},
    "etag": {"supported": False},
    "authenticationSchemes": [
        {
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "The token of a SCIM client, in the header Authorization.",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": True,
        }
    ],
    "meta": {"resourceType": "ServiceProviderConfig", "location": f"{BASE}/ServiceProviderConfig"},
}


def list_response(resources: list[Any], *, total: int | None = None, start: int = 1) -> dict[str, Any]:
    """A page of resources (RFC 7644, §3.4.2), by default of all."""
    return {
        "schemas": [LIST],
        "totalResults": len(resources) if total is None else total,
        "startIndex": start,
        "itemsPerPage": len(resources),
        "Resources": resources,
    }
