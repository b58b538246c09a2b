"""What provisioning clients change, within their organisation; and the clients themselves."""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, Value
from django.db.models.functions import Lower
from rest_framework.exceptions import AuthenticationFailed

from chassis.database import constraints
from chassis.http import email_addresses
from chassis.http.client_address import Client
from chassis.security import personal_tokens
from chassis.security.rate_limits import services as rate_limits
from users_ms.accounts import services as accounts
from users_ms.accounts.events import Origin
from users_ms.accounts.models import User
from users_ms.organisations import roles
from users_ms.organisations import services as organisations
from users_ms.organisations.models import Organisation
from users_ms.organisations.services import Actor
from users_ms.scim import selectors
from users_ms.scim.models import ANY_DOMAIN, ScimClient, ScimGroup, ScimUser
from users_ms.scim.problems import ScimClientNotFound, ScimError, invalid_value, not_found, taken
from users_ms.scim.resources import GroupChange, UserInput

TOKEN_PREFIX = "tsr_scim_"  # noqa: S105
USES_ARE_WRITTEN_EVERY = timedelta(minutes=1)
# Entra ID asks for 25 requests a second (https://learn.microsoft.com/entra/identity/app-provisioning).
REQUESTS = rate_limits.Limit(name="scim", times=1500, seconds=60)
GROUP_ROLE_PREFIX = "group/"


class _NameTaken(ScimError):
    """Another request was faster."""

    def __init__(self) -> None:
        super().__init__("Another resource has this name.", scim_type="uniqueness", status=409)


@contextmanager
def _unique_name() -> Iterator[None]:
    names = ("scim_user_name_unique", "scim_group_name_unique")
    with constraints.constraint(names[0], _NameTaken), constraints.constraint(names[1], _NameTaken):
        yield


def _lower(text: str) -> Lower:
    return Lower(Value(text))


@dataclass(frozen=True, kw_only=True)
class Provisioner:
    """The caller of a SCIM request: a client of one organisation, and nobody's account."""

    client_id: int
    organisation_id: int
    domains: tuple[str, ...]

    is_authenticated = True  # Django REST framework reads this from `request.user`

    def may_provision(self, email: str) -> bool:
        """Whether the address is of a domain for which the organisation vouches."""
        domain = email_addresses.canonical(email).rpartition("@")[2]
        return ANY_DOMAIN in self.domains or domain in self.domains

    def origin(self, client: Client) -> Origin:
        """The origin of changes that it makes."""
        return Origin(address=client.address, user_agent=client.user_agent, scim_client_id=self.client_id)


def create_client(
    *, organisation_id: int, name: str, domains: list[str], actor: Actor, at: datetime
) -> tuple[ScimClient, str]:
    """A new client, and its token, which is not stored. Raises OrganisationNotFound and RoleTooLow."""
    token = personal_tokens.make(TOKEN_PREFIX)
    with transaction.atomic():
        organisation, _ = organisations.lock(organisation_id, actor, needs=roles.MANAGES_ORGANISATION)
        client = ScimClient.objects.create(
            organisation=organisation,
            name=name,
            domains=domains,
            token_hash=selectors.hash_of(token),
            created_at=at,
        )
        organisations.announce(organisation, "scim_client_created", actor=actor, at=at, scim_client_id=client.id)
    return client, token


def revoke_client(*, organisation_id: int, client_id: int, actor: Actor, at: datetime) -> None:
    """Delete a client; its token has no effect from now on, and its users stay.

    Raises OrganisationNotFound, RoleTooLow and ScimClientNotFound.
    """
    with transaction.atomic():
        organisation, _ = organisations.lock(organisation_id, actor, needs=roles.MANAGES_ORGANISATION)
        deleted, _ = ScimClient.objects.filter(organisation=organisation, id=client_id).delete()
        if not deleted:
            raise ScimClientNotFound
        organisations.announce(organisation, "scim_client_revoked", actor=actor, at=at, scim_client_id=client_id)


def authenticate(token: str, *, at: datetime) -> Provisioner:
    """The client with this token, whose use is noted. Raises AuthenticationFailed and TooManyRequests."""
    is_well_formed = personal_tokens.is_well_formed(token, TOKEN_PREFIX)  # no look-up for what cannot be one
    client = selectors.find_client(token) if is_well_formed else None
    if client is None:
        raise AuthenticationFailed("The SCIM token is not valid.")
    rate_limits.take(REQUESTS, key=str(client.id))
    noted_since = at - USES_ARE_WRITTEN_EVERY
    if client.last_used_at is None or client.last_used_at < noted_since:
        unnoted = Q(last_used_at=None) | Q(last_used_at__lt=noted_since)
        ScimClient.objects.filter(unnoted, id=client.id).update(last_used_at=at)
    return Provisioner(client_id=client.id, organisation_id=client.organisation_id, domains=tuple(client.domains))


def create_user(given: UserInput, *, by: Provisioner, client: Client, at: datetime) -> ScimUser:
    """Create an account and make it a member of the organisation. An existing account is never taken over.

    Raises ScimError, also when any account has the address.
    """
    origin = by.origin(client)
    with _unique_name(), transaction.atomic():
        organisation = _lock_organisation(by)
        _check_user_name(organisation, given.user_name)
        user = _create_account(given, by=by, origin=origin, at=at)
        organisations.add_member(organisation, user_id=user.id, given=[roles.MEMBER], origin=origin, at=at)
        ScimUser.objects.create(
            organisation=organisation,
            user=user,
            user_name=given.user_name,
            external_id=given.external_id,
            email_type=given.email_type,
            email_is_primary=given.email_is_primary,
            created_at=at,
        )
        if given.is_active is False:
            accounts.update_user(user_id=user.id, is_active=False, origin=origin, at=at)
    return selectors.get_user(by.organisation_id, user.id)


def _create_account(given: UserInput, *, by: Provisioner, origin: Origin, at: datetime) -> User:
    _check_domain(given.email, by=by)
    try:
        return accounts.create_provisioned_user(
            name=given.name, surname=given.surname, email=given.email, origin=origin, at=at
        )
    except accounts.EmailTaken:
        raise taken("email address") from None


def _check_domain(email: str, *, by: Provisioner) -> None:
    if not by.may_provision(email):
        raise invalid_value("The organisation does not vouch for addresses of this domain.")


def _check_user_name(organisation: Organisation, user_name: str, *, but_for: int | None = None) -> None:
    """The constraint decides; this keeps the name out of PostgreSQL's log."""
    named = ScimUser.objects.alias(lower=Lower("user_name")).filter(organisation=organisation, lower=_lower(user_name))
    if named.exclude(user_id=but_for).exists():
        raise taken("userName")


def update_user(
    *, user_id: int, change: Callable[[ScimUser], UserInput], by: Provisioner, client: Client, at: datetime
) -> ScimUser:
    """Change a provisioned user to what `change` makes of it while it is locked.

    `active: false` ends sessions and tokens as an admin's deactivation does. Raises ScimError.
    """
    origin = by.origin(client)
    with _unique_name(), transaction.atomic():
        row, user = _lock_user(user_id, by=by)
        given = change(row)
        if given.user_name.lower() != row.user_name.lower():
            _check_user_name(row.organisation, given.user_name, but_for=user_id)
        if given.email != user.email:
            _change_email(user, given.email, by=by, origin=origin, at=at)
        fields: dict[str, Any] = {"name": given.name, "surname": given.surname}
        if given.is_active is not None:
            fields["is_active"] = given.is_active
        changed = {name: value for name, value in fields.items() if getattr(user, name) != value}
        if changed:
            accounts.update_user(user_id=user_id, origin=origin, at=at, **changed)
        row.user_name, row.external_id = given.user_name, given.external_id
        row.email_type, row.email_is_primary = given.email_type, given.email_is_primary
        row.save(update_fields=["user_name", "external_id", "email_type", "email_is_primary"])
    return selectors.get_user(by.organisation_id, user_id)


def _change_email(user: User, email: str, *, by: Provisioner, origin: Origin, at: datetime) -> None:
    _check_domain(email, by=by)
    try:
        accounts.set_verified_email(user_id=user.id, email=email, origin=origin, at=at)
    except accounts.EmailTaken:
        raise taken("email address") from None


def delete_user(*, user_id: int, by: Provisioner, client: Client, at: datetime) -> None:
    """Delete the account of a provisioned user, with all data in all services. Raises ScimError."""
    with transaction.atomic():
        _lock_user(user_id, by=by)
        accounts.delete_user(user_id=user_id, origin=by.origin(client), at=at)


def _lock_user(user_id: int, *, by: Provisioner) -> tuple[ScimUser, User]:
    """A user of the organisation, locked. Raises ScimError: 404 for any other, and 403 for administrators."""
    selectors.get_user(by.organisation_id, user_id)
    user = User.objects.select_for_update().filter(id=user_id).first()
    row = ScimUser.objects.select_for_update(of=("self",)).select_related("organisation").filter(user_id=user_id)
    found = row.filter(organisation_id=by.organisation_id).first()
    if user is None or found is None:  # it was deleted concurrently
        raise not_found()
    if user.is_admin:
        raise ScimError("This account belongs to an administrator of the installation.", status=403)
    return found, user


def create_group(given: GroupChange, *, by: Provisioner, client: Client, at: datetime) -> ScimGroup:
    """Create a group, and the role that its members get. Raises ScimError and TooManyRoles."""
    with _unique_name(), transaction.atomic():
        organisation = _lock_organisation(by)
        name = str(given.display_name)
        _check_display_name(organisation, name)
        group = ScimGroup.objects.create(
            organisation=organisation,
            display_name=name,
            external_id=given.external_id or "",
            role=_free_role(organisation, name),
            created_at=at,
        )
        _change_members(organisation, group, given, by=by, client=client, at=at)
    return group


def change_group(*, group_id: int, given: GroupChange, by: Provisioner, client: Client, at: datetime) -> ScimGroup:
    """Change a group. Its role stays when it gets another name. Raises ScimError and TooManyRoles."""
    with _unique_name(), transaction.atomic():
        organisation = _lock_organisation(by)
        group = selectors.get_group(by.organisation_id, group_id)
        if given.display_name is not None and given.display_name != group.display_name:
            _check_display_name(organisation, given.display_name, but_for=group.id)
            group.display_name = given.display_name
        if given.external_id is not None:
            group.external_id = given.external_id
        group.save(update_fields=["display_name", "external_id", "updated_at"])
        _change_members(organisation, group, given, by=by, client=client, at=at)
    return group


def delete_group(*, group_id: int, by: Provisioner, client: Client, at: datetime) -> None:
    """Delete a group; its members lose the role. Raises ScimError."""
    with transaction.atomic():
        organisation = _lock_organisation(by)
        group = selectors.get_group(by.organisation_id, group_id)
        organisations.withdraw_role(organisation, group.role, of=None, origin=by.origin(client), at=at)
        group.delete()


def _change_members(
    organisation: Organisation, group: ScimGroup, given: GroupChange, *, by: Provisioner, client: Client, at: datetime
) -> None:
    if given.members is None and not given.added and not given.removed:
        return
    now = set(selectors.members_by_group([group])[group.id])
    wanted = ((now if given.members is None else given.members) | given.added) - given.removed
    _check_members(wanted - now, by=by)
    origin = by.origin(client)
    organisations.withdraw_role(organisation, group.role, of=now - wanted, origin=origin, at=at)
    organisations.give_role(organisation, group.role, to=wanted - now, origin=origin, at=at)


def _check_members(user_ids: Collection[int], *, by: Provisioner) -> None:
    """Raises ScimError for a user whom the organisation has not provisioned, whether or not there is one."""
    known = set(selectors.users_of(by.organisation_id).filter(user_id__in=user_ids).values_list("user_id", flat=True))
    if unknown := sorted(set(user_ids) - known):
        raise invalid_value(f"members: there is no user {unknown[0]}.")


def _check_display_name(organisation: Organisation, name: str, *, but_for: int | None = None) -> None:
    named = ScimGroup.objects.alias(lower=Lower("display_name")).filter(organisation=organisation, lower=_lower(name))
    if named.exclude(id=but_for).exists():
        raise taken("displayName")


def _free_role(organisation: Organisation, name: str) -> str:
    """The role of a new group: `group/` and its first name in plain letters, with a number where another has that."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.sub(r"[^A-Za-z0-9.:_-]+", "-", plain).strip("-")[:40] or "group"
    used = set(
        ScimGroup.objects.filter(organisation=organisation, role__startswith=GROUP_ROLE_PREFIX + words).values_list(
            "role", flat=True
        )
    )
    role, number = GROUP_ROLE_PREFIX + words, 1
    while role in used:
        number += 1
        role = f"{GROUP_ROLE_PREFIX}{words}-{number}"
    return role


def _lock_organisation(by: Provisioner) -> Organisation:
    """One change of members at a time; also waits for a revocation, after which the client changes nothing more.

    Raises AuthenticationFailed.
    """
    organisation = Organisation.objects.select_for_update().filter(id=by.organisation_id).first()
    if organisation is None or not ScimClient.objects.filter(id=by.client_id).exists():
        raise AuthenticationFailed("The SCIM token is not valid.")
    return organisation
