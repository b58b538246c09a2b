"""Users and groups as SCIM shows and takes them (RFC 7643, §4): JSON in, values out, and the other way round.

Unknown attributes are ignored (RFC 7644, §3.3 and §3.5.1), names regard no case (RFC 7643, §2.1), and what the
resource server decides (`id`, `meta`, `groups`) has no effect (RFC 7644, §3.5.1).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chassis.http import email_addresses
from users_ms.scim import filters
from users_ms.scim.models import MAXIMUM_EXTERNAL_ID_LENGTH, MAXIMUM_NAME_LENGTH, ScimGroup, ScimUser
from users_ms.scim.problems import ScimError, invalid_value

BASE = "/users-ms/scim/v2"
MEDIA_TYPE = "application/scim+json"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
MAXIMUM_NAME_PART = 100  # as for all users
MAXIMUM_TYPE_LENGTH = 60
MAXIMUM_MEMBERS = 5000  # that one request names


@dataclass(frozen=True, kw_only=True)
class UserInput:
    """What a client says of a user. `is_active` is None where it says nothing."""

    user_name: str
    external_id: str
    name: str
    surname: str
    email: str
    email_type: str
    email_is_primary: bool
    is_active: bool | None


@dataclass(frozen=True, kw_only=True)
class GroupChange:
    """What a client changes in a group: None stays. `members` are all of them; `added` and `removed` come on top."""

    display_name: str | None = None
    external_id: str | None = None
    members: frozenset[int] | None = None
    added: frozenset[int] = frozenset()
    removed: frozenset[int] = frozenset()


def member(of: Any, name: str) -> Any:
    """The value of an attribute without regard to case; None for none."""
    if not isinstance(of, Mapping):
        return None
    wanted = name.lower()
    return next((value for key, value in of.items() if key.lower() == wanted), None)


def read_user(body: Any) -> UserInput:
    """What a POST, PUT or changed representation says. Raises ScimError."""
    if not isinstance(body, Mapping):
        raise ScimError("The body must be an object.", scim_type="invalidSyntax")
    user_name = _line(body, "userName", maximum=MAXIMUM_NAME_LENGTH)
    if not user_name:
        raise invalid_value("userName is missing.")
    email = _email(member(body, "emails"), user_name)
    name, surname = _names(body, fallback=email["value"].partition("@")[0])
    return UserInput(
        user_name=user_name,
        external_id=_line(body, "externalId", maximum=MAXIMUM_EXTERNAL_ID_LENGTH),
        name=name,
        surname=surname,
        email=email["value"],
        email_type=email["type"],
        email_is_primary=email["primary"],
        is_active=_boolean(member(body, "active"), "active"),
    )


def _names(body: Any, *, fallback: str) -> tuple[str, str]:
    """Given and family name. Users have a name: where the client gives none, that to display, or of the address."""
    name = member(body, "name")
    if name is not None and not isinstance(name, Mapping):
        raise invalid_value("name must be an object.")
    given = _line(name, "givenName", maximum=MAXIMUM_NAME_PART)
    surname = _line(name, "familyName", maximum=MAXIMUM_NAME_PART)
    if not given and not surname:
        displayed = _line(name, "formatted", maximum=MAXIMUM_NAME_LENGTH) or _line(
            body, "displayName", maximum=MAXIMUM_NAME_LENGTH
        )
        given = displayed[:MAXIMUM_NAME_PART]
    return given or surname or fallback[:MAXIMUM_NAME_PART], surname if given else ""


def _email(given: Any, user_name: str) -> dict[str, Any]:
    """The one address that an account has: the primary one, else the one for work, else the last; else `userName`."""
    elements = [_address(each) for each in _elements(given, "emails")]
    if not elements:
        elements = [{"value": user_name, "type": "work", "primary": True}]
    elements.sort(key=lambda each: (each["primary"], each["type"].lower() == "work"))
    chosen = elements[-1]
    try:
        return chosen | {"value": email_addresses.parse(chosen["value"]).display}
    except email_addresses.InvalidAddress as error:
        raise invalid_value(f"An email address is needed, in emails or as userName: {error}") from error


def _address(element: Any) -> dict[str, Any]:
    if isinstance(element, str):
        element = {"value": element}
    is_primary = _boolean(member(element, "primary"), "emails.primary")
    return {
        "value": _line(element, "value", maximum=email_addresses.MAXIMUM_LENGTH, path="emails.value"),
        "type": _line(element, "type", maximum=MAXIMUM_TYPE_LENGTH, path="emails.type") or "work",
        "primary": True if is_primary is None else is_primary,
    }


def _elements(given: Any, path: str) -> list[Any]:
    if given is None:
        return []
    elements = given if isinstance(given, list) else [given]
    if not all(isinstance(each, Mapping | str) for each in elements):
        raise invalid_value(f"{path} must be a list of objects.")
    return elements


def _line(of: Any, name: str, *, maximum: int, path: str = "") -> str:
    value = member(of, name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > maximum:
        raise invalid_value(f"{path or name} must be a string of at most {maximum} characters.")
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in value):
        raise invalid_value(f"{path or name} must not contain control characters.")
    return value.strip()


def _boolean(value: Any, path: str) -> bool | None:
    """Also "True" and "False", as Entra ID sends them. None for none."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise invalid_value(f"{path} must be true or false.")


def read_group(body: Any) -> GroupChange:
    """What a POST or PUT says. Raises ScimError."""
    if not isinstance(body, Mapping):
        raise ScimError("The body must be an object.", scim_type="invalidSyntax")
    return GroupChange(
        display_name=display_name(member(body, "displayName")),
        external_id=external_id(member(body, "externalId")),
        members=member_ids(member(body, "members")),
    )


def display_name(value: Any) -> str:
    """The name of a group. Raises ScimError."""
    found = _line({"displayName": value}, "displayName", maximum=MAXIMUM_NAME_LENGTH)
    if not found:
        raise invalid_value("displayName is missing.")
    return found


def external_id(value: Any) -> str:
    """The client's own id of a resource; empty for none. Raises ScimError."""
    return _line({"externalId": value}, "externalId", maximum=MAXIMUM_EXTERNAL_ID_LENGTH)


def member_ids(given: Any) -> frozenset[int]:
    """The ids of users in the members of a group. Raises ScimError."""
    elements = _elements(given, "members")
    if len(elements) > MAXIMUM_MEMBERS:
        raise ScimError(f"A request names at most {MAXIMUM_MEMBERS} members.", scim_type="tooMany")
    return frozenset(user_id(each if isinstance(each, str) else member(each, "value")) for each in elements)


def user_id(value: Any) -> int:
    """The id of a user as a number. Raises ScimError."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 18:
        return int(value)
    raise invalid_value("members must be ids of users.")


def shown_user(row: ScimUser, *, groups: Iterable[ScimGroup]) -> dict[str, Any]:
    """The representation of a user; `row.user` is loaded."""
    user = row.user
    name = {"givenName": user.name} | ({"familyName": user.surname} if user.surname else {})
    email = {"value": user.email, "type": row.email_type, "primary": row.email_is_primary}
    of_groups = [
        {"value": str(each.id), "$ref": f"{BASE}/Groups/{each.id}", "display": each.display_name} for each in groups
    ]
    return {
        "schemas": [USER],
        "id": str(user.id),
        **({"externalId": row.external_id} if row.external_id else {}),
        "userName": row.user_name,
        "name": name,
        "emails": [email],
        "active": user.is_active,
        **({"groups": of_groups} if of_groups else {}),
        "meta": _meta("User", f"{BASE}/Users/{user.id}", row.created_at, user.updated_at),
    }


def shown_group(row: ScimGroup, *, members: Iterable[int]) -> dict[str, Any]:
    """The representation of a group."""
    shown = [{"value": str(each), "$ref": f"{BASE}/Users/{each}", "type": "User"} for each in members]
    return {
        "schemas": [GROUP],
        "id": str(row.id),
        **({"externalId": row.external_id} if row.external_id else {}),
        "displayName": row.display_name,
        **({"members": shown} if shown else {}),
        "meta": _meta("Group", f"{BASE}/Groups/{row.id}", row.created_at, row.updated_at),
    }


def _meta(kind: str, location: str, created: datetime, modified: datetime) -> dict[str, str]:
    return {
        "resourceType": kind,
        "created": _time(created),
        "lastModified": _time(max(created, modified)),
        "location": location,
    }


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, kw_only=True)
class Projection:
    """Which attributes of a representation are shown (RFC 7644, §3.9); `id` and `schemas` always are."""

    only: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()

    @classmethod
    def of(cls, attributes: str, excluded: str) -> "Projection":
        """By the two query parameters, names separated by commas. Raises ScimError."""
        try:
            names = [
                frozenset(filters.attribute_name(each.strip()) for each in text.split(",") if each.strip())
                for text in (attributes, excluded)
            ]
        except filters.InvalidFilter as error:
            raise invalid_value(str(error)) from error
        return cls(only=names[0], without=names[1])

    def shows(self, name: str) -> bool:
        """Whether any of the attribute is shown."""
        if self.only:
            return any(each.partition(".")[0] == name.lower() for each in self.only)
        return name.lower() not in self.without

    def apply(self, shown: dict[str, Any]) -> dict[str, Any]:
        """The representation with what is asked for."""
        found = {}
        for name, value in shown.items():
            if name in ("schemas", "id"):
                found[name] = value
            elif self.shows(name):
                found[name] = self._parts(name.lower(), value)
        return found

    def _parts(self, name: str, value: Any) -> Any:
        if isinstance(value, list):
            return [self._parts(name, each) for each in value]
        if not isinstance(value, dict) or name in self.only:
            return value
        return {
            part: each
            for part, each in value.items()
            if (f"{name}.{part.lower()}" in self.only or not self.only) and f"{name}.{part.lower()}" not in self.without
        }
