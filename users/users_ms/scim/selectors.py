"""Reads of what an organisation has provisioned, and SCIM's filters and orders as SQL."""

import hashlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Lower
from django.db.models.lookups import (
    Contains,
    EndsWith,
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    LessThan,
    LessThanOrEqual,
    StartsWith,
)
from django.utils.dateparse import parse_datetime

from chassis.http import email_addresses
from users_ms.organisations import roles
from users_ms.organisations import selectors as organisations
from users_ms.organisations.models import Membership
from users_ms.scim import filters
from users_ms.scim.filters import Both, Comparison, Filter, Not, Within
from users_ms.scim.models import ScimClient, ScimGroup, ScimUser
from users_ms.scim.problems import ScimError, not_found

MAXIMUM_ID = 2**63 - 1
_LOOKUPS: dict[str, Any] = {
    "eq": Exact,
    "co": Contains,
    "sw": StartsWith,
    "ew": EndsWith,
    "gt": GreaterThan,
    "ge": GreaterThanOrEqual,
    "lt": LessThan,
    "le": LessThanOrEqual,
}
Compile = Callable[[Comparison], Q]


def clients_of(organisation_id: int, viewer: organisations.Viewer) -> QuerySet[ScimClient]:
    """The clients of an organisation, for its owners. Raises OrganisationNotFound and RoleTooLow."""
    organisation = organisations.managed(organisation_id, viewer, needs=roles.MANAGES_ORGANISATION)
    return ScimClient.objects.filter(organisation=organisation)


def find_client(token: str) -> ScimClient | None:
    """The client with this token."""
    return ScimClient.objects.filter(token_hash=hash_of(token)).first()


def hash_of(token: str) -> bytes:
    """The SHA-256 of a token, which suffices for 256 random bits."""
    return hashlib.sha256(token.encode()).digest()


def users_of(organisation_id: int) -> QuerySet[ScimUser]:
    """The users whom an organisation has provisioned: those that its clients may know of."""
    return ScimUser.objects.filter(organisation_id=organisation_id).select_related("user")


def get_user(organisation_id: int, user_id: int) -> ScimUser:
    """One of them. Raises ScimError."""
    found = users_of(organisation_id).filter(user_id=user_id).first() if user_id <= MAXIMUM_ID else None
    if found is None:
        raise not_found()
    return found


def groups_of(organisation_id: int) -> QuerySet[ScimGroup]:
    """The groups of an organisation."""
    return ScimGroup.objects.filter(organisation_id=organisation_id)


def get_group(organisation_id: int, group_id: int) -> ScimGroup:
    """One of them. Raises ScimError."""
    found = groups_of(organisation_id).filter(id=group_id).first() if group_id <= MAXIMUM_ID else None
    if found is None:
        raise not_found()
    return found


def groups_by_user(organisation_id: int, user_ids: Iterable[int]) -> dict[int, list[ScimGroup]]:
    """The groups of each of these users."""
    rows = Membership.objects.filter(organisation_id=organisation_id, user_id__in=list(user_ids))
    of_user = dict(rows.values_list("user_id", "roles"))
    wanted = {role for each in of_user.values() for role in each}
    groups = list(groups_of(organisation_id).filter(role__in=wanted).order_by("id"))
    return {user_id: [group for group in groups if group.role in has] for user_id, has in of_user.items()}


def members_by_group(groups: list[ScimGroup]) -> dict[int, list[int]]:
    """The ids of the provisioned users in each of these groups, which are of one organisation."""
    if not groups:
        return {}
    members: dict[int, list[int]] = {group.id: [] for group in groups}
    by_role = {group.role: members[group.id] for group in groups}
    rows = Membership.objects.filter(organisation_id=groups[0].organisation_id, roles__overlap=list(by_role))
    provisioned = ScimUser.objects.filter(organisation_id=OuterRef("organisation_id"), user_id=OuterRef("user_id"))
    found = rows.filter(Exists(provisioned)).order_by("user_id").values_list("user_id", "roles")
    for user_id, has in found:
        for role in has:
            if role in by_role:
                by_role[role].append(user_id)
    return members


def filter_users(organisation_id: int, text: str) -> QuerySet[ScimUser]:
    """The users that match a filter; all without one. Raises ScimError."""
    wanted = _compiled(text, lambda comparison: _of_user(organisation_id, comparison))
    return users_of(organisation_id).filter(wanted)


def filter_groups(organisation_id: int, text: str) -> QuerySet[ScimGroup]:
    """The groups that match a filter; all without one. Raises ScimError."""
    wanted = _compiled(text, lambda comparison: _of_group(organisation_id, comparison))
    return groups_of(organisation_id).filter(wanted)


def in_order(rows: QuerySet[Any], orders: dict[str, Any], *, by: str, descending: bool) -> QuerySet[Any]:
    """Sorted by an attribute of `orders`, the oldest first without one. Raises ScimError."""
    if not by:
        return rows.order_by("id")
    try:
        expression = orders[filters.attribute_name(by)]
    except (filters.InvalidFilter, KeyError):
        known = ", ".join(sorted(orders))
        raise ScimError(f"sortBy is one of {known}.", scim_type="invalidPath") from None
    return rows.order_by(expression.desc() if descending else expression.asc(), "id")


USER_ORDERS = {
    "id": F("user_id"),
    "username": Lower("user_name"),
    "externalid": F("external_id"),
    "name.givenname": Lower("user__name"),
    "name.familyname": Lower("user__surname"),
    "emails": Lower("user__email"),
    "emails.value": Lower("user__email"),
    "active": F("user__is_active"),
    "meta.created": F("created_at"),
    "meta.lastmodified": F("user__updated_at"),
}
GROUP_ORDERS = {
    "id": F("id"),
    "displayname": Lower("display_name"),
    "externalid": F("external_id"),
    "meta.created": F("created_at"),
    "meta.lastmodified": F("updated_at"),
}


def _compiled(text: str, compare: Compile) -> Q:
    if not text:
        return Q()
    try:
        return _condition(filters.parse(text), compare)
    except filters.InvalidFilter as error:
        raise _invalid(str(error)) from error


def _condition(wanted: Filter, compare: Compile, *, within: str = "") -> Q:
    if isinstance(wanted, Both):
        sides = [_condition(side, compare, within=within) for side in (wanted.left, wanted.right)]
        return sides[0] | sides[1] if wanted.is_or else sides[0] & sides[1]
    if isinstance(wanted, Not):
        return ~_condition(wanted.of, compare, within=within)
    if isinstance(wanted, Within):
        if within or wanted.attribute != "emails":  # each user has one, so its parts are columns of one row
            raise _invalid(f"{wanted.attribute} cannot be filtered by its parts.")
        return _condition(wanted.filter, compare, within=wanted.attribute)
    name = f"{within}.{wanted.attribute}" if within else wanted.attribute
    return compare(Comparison(name, wanted.operator, wanted.value))


def _of_user(organisation_id: int, wanted: Comparison) -> Q:
    match wanted.attribute:
        case "id":
            return _id("user_id", wanted)
        case "username":
            return _text("user_name", wanted)
        case "externalid":
            return _text("external_id", wanted, regards_case=True)
        case "name.givenname":
            return _text("user__name", wanted)
        case "name.familyname":
            return _text("user__surname", wanted)
        case "emails" | "emails.value":
            return _email(wanted)
        case "emails.type":
            return _text("email_type", wanted)
        case "emails.primary":
            return _boolean("email_is_primary", wanted)
        case "active":
            return _boolean("user__is_active", wanted)
        case "meta.created":
            return _time("created_at", wanted)
        case "meta.lastmodified":
            return _time("user__updated_at", wanted)
        case "groups" | "groups.value":
            return _in_group(organisation_id, wanted)
    raise _invalid(f"Users cannot be filtered by {wanted.attribute[:60]}.")


def _of_group(organisation_id: int, wanted: Comparison) -> Q:
    match wanted.attribute:
        case "id":
            return _id("id", wanted)
        case "displayname":
            return _text("display_name", wanted)
        case "externalid":
            return _text("external_id", wanted, regards_case=True)
        case "meta.created":
            return _time("created_at", wanted)
        case "meta.lastmodified":
            return _time("updated_at", wanted)
        case "members" | "members.value":
            return _has_member(organisation_id, wanted)
    raise _invalid(f"Groups cannot be filtered by {wanted.attribute[:60]}.")


def _text(column: str, wanted: Comparison, *, regards_case: bool = False) -> Q:
    if wanted.operator == "pr":
        return ~Q(**{column: ""})
    if not isinstance(wanted.value, str):
        raise _invalid(f"{wanted.attribute} is compared with a string.")
    if wanted.operator == "ne":
        return ~_text(column, Comparison(wanted.attribute, "eq", wanted.value), regards_case=regards_case)
    # In lower case by PostgreSQL on both sides, as the indexes have it.
    left, right = (F(column), Value(wanted.value)) if regards_case else (Lower(column), Lower(Value(wanted.value)))
    return Q(_LOOKUPS[wanted.operator](left, right))


def _email(wanted: Comparison) -> Q:
    if wanted.operator not in ("eq", "ne") or not isinstance(wanted.value, str):
        return _text("user__email", wanted)
    same = Q(user__email_canonical=email_addresses.canonical(wanted.value))
    return same if wanted.operator == "eq" else ~same


def _boolean(column: str, wanted: Comparison) -> Q:
    value = wanted.value
    if wanted.operator == "pr":
        return ~Q(pk__in=[])
    if isinstance(value, str) and value.lower() in ("true", "false"):
        value = value.lower() == "true"
    if wanted.operator not in ("eq", "ne") or not isinstance(value, bool):
        raise _invalid(f"{wanted.attribute} is compared with true or false, by eq or ne.")
    return Q(**{column: value == (wanted.operator == "eq")})


def _time(column: str, wanted: Comparison) -> Q:
    if wanted.operator == "pr":
        return ~Q(pk__in=[])
    try:
        at = parse_datetime(wanted.value) if isinstance(wanted.value, str) else None
    except ValueError:
        at = None
    if at is None or wanted.operator in ("co", "sw", "ew"):
        raise _invalid(f"{wanted.attribute} is compared with a time such as 2026-01-31T12:00:00Z.")
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return _exactly(column, at, wanted.operator)


def _exactly(column: str, at: datetime, operator: str) -> Q:
    same = Q(**{column: at})
    names = {"gt": "gt", "ge": "gte", "lt": "lt", "le": "lte"}
    return same if operator == "eq" else ~same if operator == "ne" else Q(**{f"{column}__{names[operator]}": at})


def _number(wanted: Comparison) -> int:
    """The id that is compared with; -1, which nothing has, for a text that is none."""
    if wanted.operator not in ("eq", "ne") or not isinstance(wanted.value, str):
        raise _invalid(f"{wanted.attribute} is compared with a string, by eq or ne.")
    text = wanted.value
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else -1


def _id(column: str, wanted: Comparison) -> Q:
    if wanted.operator == "pr":
        return ~Q(pk__in=[])
    same = Q(**{column: _number(wanted)})
    return same if wanted.operator == "eq" else ~same


def _in_group(organisation_id: int, wanted: Comparison) -> Q:
    role = groups_of(organisation_id).filter(id=_number(wanted)).values_list("role", flat=True).first()
    rows = Membership.objects.filter(organisation_id=organisation_id, user_id=OuterRef("user_id"))
    found = Q(Exists(rows.filter(roles__contains=[role]))) if role else Q(pk__in=[])
    return found if wanted.operator == "eq" else ~found


def _has_member(organisation_id: int, wanted: Comparison) -> Q:
    user_id = _number(wanted)
    rows = Membership.objects.filter(organisation_id=organisation_id, user_id=user_id)
    is_provisioned = users_of(organisation_id).filter(user_id=user_id).exists()
    has = rows.values_list("roles", flat=True).first() if is_provisioned else None
    found = Q(role__in=has or [])
    return found if wanted.operator == "eq" else ~found


def _invalid(detail: str) -> ScimError:
    return ScimError(detail, scim_type="invalidFilter")
