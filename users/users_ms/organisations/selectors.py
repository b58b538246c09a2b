"""Reads of organisations and members. Rights are those of the moment: a membership that has ended counts no more."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import CharField, Exists, F, Func, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Lower

from users_ms.accounts.models import User
from users_ms.organisations import roles
from users_ms.organisations.models import FormerMember, Invitation, Membership, Organisation, OrganisationDomain
from users_ms.organisations.problems import InvitationNotFound, OrganisationNotFound, RoleTooLow

MAXIMUM_ID = 2**63 - 1
MAXIMUM_MEMBERSHIPS = 50


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """The caller, and whether it is an administrator of the installation now."""

    user_id: int
    is_admin: bool


def rank_in(organisation_id: int, viewer: Viewer) -> int:
    """The caller's rank in an organisation; 0 for none. An administrator of the installation ranks as an owner."""
    if viewer.is_admin:
        return roles.RANKS[roles.OWNER]
    own = Membership.objects.filter(organisation_id=organisation_id, user_id=viewer.user_id)
    return roles.rank_of(own.values_list("roles", flat=True).first() or [])


def find_organisations(viewer: Viewer, *, search: str = "", ownerless: bool = False) -> QuerySet[Organisation]:
    """The caller's own organisations; all of them for an administrator. `search` is a prefix of name or slug."""
    found = _with_own_roles(viewer)
    if not viewer.is_admin:
        found = found.filter(Exists(_memberships(viewer)))
    if search:
        text = Lower(Value(search))
        found = found.alias(lower_name=Lower("name"))
        found = found.filter(Q(lower_name__startswith=text) | Q(slug__startswith=text))
    if ownerless:
        owners = Membership.objects.filter(organisation=OuterRef("pk"), roles__contains=[roles.OWNER])
        found = found.filter(~Exists(owners))
    return found


def _memberships(viewer: Viewer) -> QuerySet[Membership]:
    return Membership.objects.filter(organisation=OuterRef("pk"), user_id=viewer.user_id)


def _with_own_roles(viewer: Viewer) -> QuerySet[Organisation]:
    return Organisation.objects.annotate(own_roles=Subquery(_memberships(viewer).values("roles")[:1]))


def get_organisation(organisation_id: int, viewer: Viewer) -> Organisation:
    """An organisation that the caller may see. Raises OrganisationNotFound."""
    found = find_organisations(viewer).filter(id=organisation_id).first()
    if found is None:
        raise OrganisationNotFound
    return found


def members_of(organisation_id: int, viewer: Viewer) -> QuerySet[Membership]:
    """The members, for those who manage them. Raises OrganisationNotFound and RoleTooLow."""
    organisation = managed(organisation_id, viewer)
    return Membership.objects.filter(organisation=organisation).select_related("user")


def domains_of(organisation_id: int) -> list[str]:
    """The domains whose verified addresses join an organisation, in order."""
    found = OrganisationDomain.objects.filter(organisation_id=organisation_id).order_by("domain")
    return list(found.values_list("domain", flat=True))


def joinable(user_id: int) -> QuerySet[OrganisationDomain]:
    """The domain by which an active user may join an organisation now; none without a verified address in one, and none
    of an organisation of which the user is a member, or was."""
    parts = (F("email_canonical"), Value("@"), Value(-1))
    of_address: Func = Func(*parts, function="split_part", output_field=CharField())
    users = User.objects.filter(id=user_id, is_active=True, email_verified=True).annotate(domain=of_address)
    found = OrganisationDomain.objects.filter(domain=Subquery(users.values("domain")[:1]))
    for kind in (Membership, FormerMember):
        found = found.filter(~Exists(kind.objects.filter(organisation=OuterRef("organisation_id"), user_id=user_id)))
    return found


def managed_domains(organisation_id: int, viewer: Viewer) -> list[str]:
    """The same, for those who manage members. Raises OrganisationNotFound and RoleTooLow."""
    return domains_of(managed(organisation_id, viewer).id)


def invitations_of(organisation_id: int, viewer: Viewer) -> QuerySet[Invitation]:
    """The invitations that nobody has accepted, for those who manage members.

    Raises OrganisationNotFound and RoleTooLow.
    """
    return Invitation.objects.filter(organisation=managed(organisation_id, viewer))


def managed(organisation_id: int, viewer: Viewer, *, needs: int = roles.MANAGES_MEMBERS) -> Organisation:
    """An organisation in which the caller has at least the rank `needs`. Raises OrganisationNotFound and RoleTooLow."""
    organisation = get_organisation(organisation_id, viewer)
    if rank_in(organisation.id, viewer) < needs:
        raise RoleTooLow
    return organisation


def find_invitation(token: str, *, at: datetime) -> Invitation:
    """The invitation with this token, with its organisation. Raises InvitationNotFound."""
    valid = Invitation.objects.select_related("organisation").filter(token_hash=hash_of(token), expires_at__gt=at)
    found = valid.first()
    if found is None:
        raise InvitationNotFound
    return found


def hash_of(token: str) -> bytes:
    """The SHA-256 of a mailed token, which suffices for 256 random bits."""
    return hashlib.sha256(token.encode()).digest()


def memberships_of(*, user_id: int, organisation: str = "") -> list[dict[str, Any]]:
    """The memberships of a user, or that in the organisation with this id or slug; at most MAXIMUM_MEMBERSHIPS."""
    found = Membership.objects.filter(user_id=user_id).select_related("organisation").order_by("id")
    if organisation:
        wanted = Q(organisation__slug=organisation)
        if organisation.isascii() and organisation.isdecimal() and int(organisation) <= MAXIMUM_ID:
            wanted = Q(organisation_id=int(organisation))  # slugs begin with a letter
        found = found.filter(wanted)
    return [
        {
            "organisation_id": each.organisation_id,
            "slug": each.organisation.slug,
            "name": each.organisation.name,
            "roles": each.roles,
        }
        for each in found[:MAXIMUM_MEMBERSHIPS]
    ]
