"""PATCH (RFC 7644, §3.5.2), as the specification says, and as Entra ID and Okta send it.

Beyond the specification: operations in any case, booleans as text, dotted names in a value without a path, members
to be removed in the value of an operation, and a value filter that matches nothing makes a new value.
"""

from collections.abc import Mapping
from typing import Any

from users_ms.scim import filters, resources
from users_ms.scim.problems import ScimError, invalid_value
from users_ms.scim.resources import GroupChange

READ_ONLY = frozenset({"id", "meta", "groups"})
_SIMPLE = {"username": "userName", "externalid": "externalId", "active": "active"}
_NAME_PARTS = {"givenname": "givenName", "familyname": "familyName"}
_EMAIL_PARTS = ("value", "type", "primary")


def _operations(body: Any) -> list[tuple[str, str, Any]]:
    """Operation, path and value of each. Raises ScimError."""
    given = resources.member(body, "Operations")
    if not isinstance(given, list) or not given:
        raise ScimError("Operations must be a list.", scim_type="invalidSyntax")
    found: list[tuple[str, str, Any]] = []
    for each in given:
        name, path = resources.member(each, "op"), resources.member(each, "path")
        operation = name.lower() if isinstance(name, str) else ""
        if operation not in ("add", "replace", "remove"):
            raise ScimError("An operation is add, replace or remove.", scim_type="invalidSyntax")
        if path is not None and not isinstance(path, str):
            raise ScimError("A path is a string.", scim_type="invalidPath")
        found += _split(operation, path or "", resources.member(each, "value"))
    return found


def _split(operation: str, path: str, value: Any) -> list[tuple[str, str, Any]]:
    """An operation without a path becomes one for each attribute in its value."""
    if path:
        return [(operation, path, value)]
    if operation == "remove":
        raise ScimError("An operation that removes needs a path.", scim_type="noTarget")
    if not isinstance(value, Mapping):
        raise invalid_value("Without a path, the value must be an object.")
    return [(operation, name, each) for name, each in value.items() if _is_writable(name)]


def _is_writable(name: str) -> bool:
    """False for what a client repeats of a representation without changing it."""
    return name.lower() not in READ_ONLY | {"schemas"}


def _parse(path: str) -> filters.Path:
    try:
        found = filters.parse_path(path)
    except filters.InvalidFilter as error:
        raise ScimError(str(error), scim_type="invalidPath") from error
    if found.attribute in READ_ONLY:
        raise ScimError(f"{found.attribute} is decided by the server.", scim_type="mutability")
    return found


def patched_user(shown: dict[str, Any], body: Any) -> dict[str, Any]:
    """A representation with the operations of `body` applied. Unknown attributes are ignored. Raises ScimError."""
    result = dict(shown)
    for operation, text, value in _operations(body):
        path = _parse(text)
        if path.attribute in _SIMPLE and not path.sub and path.filter is None:
            result[_SIMPLE[path.attribute]] = None if operation == "remove" else value
        elif path.attribute == "name" and path.filter is None:
            result["name"] = _patched_name(result.get("name") or {}, operation, path.sub, value)
        elif path.attribute == "emails":
            result["emails"] = _patched_emails(_listed(result.get("emails")), operation, path, value)
    return result


def _patched_name(name: Any, operation: str, sub: str, value: Any) -> dict[str, Any]:
    if not sub and operation == "remove":
        return {}
    if not sub and not isinstance(value, Mapping):
        raise invalid_value("name must be an object.")
    changes = {sub: value} if sub else {key.lower(): each for key, each in value.items()}
    result = dict(name)
    for key, each in changes.items():
        if key in _NAME_PARTS:
            result[_NAME_PARTS[key]] = None if operation == "remove" else each
    return result


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _patched_emails(emails: list[Any], operation: str, path: filters.Path, value: Any) -> list[Any]:
    if path.sub and path.sub not in _EMAIL_PARTS:
        return emails
    if path.filter is None and not path.sub:
        if operation == "add":
            return [*(_demoted(emails) if any(map(_is_primary, _listed(value))) else emails), *_listed(value)]
        removed = [resources.member(each, "value") for each in _listed(value)] if operation == "remove" else []
        kept = [each for each in emails if resources.member(each, "value") not in removed] if removed else []
        return kept if operation == "remove" else _listed(value)
    chosen = [path.filter is None or filters.matches(path.filter, each) for each in emails]
    if operation == "remove" and not path.sub:
        return [each for each, is_chosen in zip(emails, chosen, strict=True) if not is_chosen]
    changes = {path.sub: None if operation == "remove" else value} if path.sub else value
    if not isinstance(changes, Mapping):
        raise invalid_value("A value of emails must be an object.")
    changes = {name.lower(): each for name, each in changes.items()}
    if operation != "remove" and not any(chosen):
        return [*_demoted(emails), {**_equalities(path.filter), **changes}]
    return [
        {**each, **changes} if is_chosen and isinstance(each, Mapping) else each
        for each, is_chosen in zip(emails, chosen, strict=True)
    ]


def _is_primary(element: Any) -> bool:
    """An address that is added counts as the primary one unless the client says otherwise."""
    return resources.member(element, "primary") not in (False, "false", "False")


def _demoted(emails: list[Any]) -> list[Any]:
    """RFC 7644, §3.5.2: when a new value is primary, the others are not."""
    return [{**each, "primary": False} if isinstance(each, Mapping) else each for each in emails]


def _equalities(wanted: filters.Filter | None) -> dict[str, Any]:
    """What a value has by the filter that is to find it."""
    if isinstance(wanted, filters.Both) and not wanted.is_or:
        return _equalities(wanted.left) | _equalities(wanted.right)
    if isinstance(wanted, filters.Comparison) and wanted.operator == "eq" and wanted.attribute in _EMAIL_PARTS:
        return {wanted.attribute: wanted.value}
    return {}


def read_group_patch(body: Any) -> GroupChange:
    """What the operations of `body` change in a group, in their order. Unknown attributes are ignored.

    Raises ScimError.
    """
    names: dict[str, str] = {}
    members: frozenset[int] | None = None
    added: frozenset[int] = frozenset()
    removed: frozenset[int] = frozenset()
    for operation, text, value in _operations(body):
        path = _parse(text)
        if path.attribute == "displayname" and not path.sub and path.filter is None:
            names["display_name"] = resources.display_name(None if operation == "remove" else value)
        elif path.attribute == "externalid" and not path.sub and path.filter is None:
            names["external_id"] = resources.external_id(None if operation == "remove" else value)
        elif path.attribute == "members":
            ids = _member_ids(operation, path, value)
            if ids is None:  # all
                members, added, removed = frozenset(), frozenset(), frozenset()
            elif operation == "replace":
                members, added, removed = ids, frozenset(), frozenset()
            elif operation == "add":
                added, removed = added | ids, removed - ids
            else:
                added, removed = added - ids, removed | ids
    return GroupChange(
        display_name=names.get("display_name"),
        external_id=names.get("external_id"),
        members=members,
        added=added,
        removed=removed,
    )


def _member_ids(operation: str, path: filters.Path, value: Any) -> frozenset[int] | None:
    """The users whom an operation names; None to remove all."""
    if path.filter is not None:
        found = _named(path.filter)
        if operation != "remove" or path.sub:
            raise ScimError("Members are added or removed, and do not change.", scim_type="invalidPath")
        return found
    if path.sub:
        raise ScimError("Members are added or removed, and do not change.", scim_type="mutability")
    if operation == "remove" and value in (None, []):
        return None
    return resources.member_ids(value)


def _named(wanted: filters.Filter) -> frozenset[int]:
    """The ids in `value eq "7" or value eq "8"`. Raises ScimError for any other filter."""
    if isinstance(wanted, filters.Both) and wanted.is_or:
        return _named(wanted.left) | _named(wanted.right)
    if isinstance(wanted, filters.Comparison) and (wanted.attribute, wanted.operator) == ("value", "eq"):
        return frozenset({resources.user_id(wanted.value)})
    raise ScimError('Members are chosen by value eq "id".', scim_type="invalidFilter")
