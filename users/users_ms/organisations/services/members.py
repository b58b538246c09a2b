"""Organisations and their members. Each is decided with the organisation locked, and published."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from chassis.database import constraints
from chassis.http import email_addresses
from chassis.messaging import events as cloud_events
from chassis.outbox import services as outbox
from users_ms.accounts.events import Origin
from users_ms.accounts.models import User
from users_ms.accounts.services import user_changes
from users_ms.organisations import events, roles, selectors
from users_ms.organisations.models import FormerMember, Invitation, Membership, Organisation
from users_ms.organisations.problems import (
    LastOwner,
    MemberNotFound,
    OrganisationNotFound,
    RoleTooLow,
    SlugTaken,
    TooManyRoles,
)


@dataclass(frozen=True, kw_only=True)
class Actor(selectors.Viewer):
    """Who changes something, with its rights of now, and from where."""

    origin: Origin  # without an actor

    def origin_for(self, user_id: int) -> Origin:
        """The origin of a change of this user, without an actor when it is the user itself."""
        return replace(self.origin, actor_id=None if user_id == self.user_id else self.user_id)


def create_organisation(*, name: str, slug: str, owner_id: int, actor: Actor, at: datetime) -> Organisation:
    """Create an organisation with its first owner. Raises SlugTaken and UserNotFound."""
    with constraints.constraint("organisation_slug_unique", SlugTaken), transaction.atomic():
        user = user_changes.lock_user(user_id=owner_id)
        organisation = Organisation.objects.create(name=name, slug=slug)
        membership = Membership.objects.create(organisation=organisation, user=user, roles=[roles.OWNER])
        announce(organisation, "created", actor=actor, at=at)
        announce_member(membership, "member_added", origin=actor.origin_for(owner_id), at=at)
    organisation.own_roles = membership.roles if owner_id == actor.user_id else None
    return organisation


def rename_organisation(*, organisation_id: int, name: str, actor: Actor, at: datetime) -> Organisation:
    """Give an organisation another name. Raises OrganisationNotFound and RoleTooLow."""
    with transaction.atomic():
        organisation, _ = lock(organisation_id, actor, needs=roles.MANAGES_ORGANISATION)
        if organisation.name != name:
            organisation.name = name
            organisation.save(update_fields=["name", "updated_at"])
            announce(organisation, "updated", actor=actor, at=at)
    return selectors.get_organisation(organisation_id, actor)


def delete_organisation(*, organisation_id: int, actor: Actor, at: datetime) -> None:
    """Delete an organisation and all of its memberships. Raises OrganisationNotFound and RoleTooLow."""
    with transaction.atomic():
        organisation, _ = lock(organisation_id, actor, needs=roles.MANAGES_ORGANISATION)
        announce(organisation, "deleted", actor=actor, at=at)
        organisation.delete()


def set_roles(*, organisation_id: int, user_id: int, given: list[str], actor: Actor, at: datetime) -> Membership:
    """Give a member exactly these roles. An administrator of the installation adds a user that is not a member.

    Nobody changes a member of a higher rank, or gives a role above their own. Raises OrganisationNotFound, RoleTooLow,
    MemberNotFound, UserNotFound and LastOwner.
    """
    with transaction.atomic():
        organisation, rank = lock(organisation_id, actor, needs=roles.MANAGES_MEMBERS)
        membership = _membership(organisation, user_id)
        if roles.rank_of(given) > rank:
            raise RoleTooLow
        if membership is None and not actor.is_admin:
            raise MemberNotFound
        if membership is None:
            return add_member(organisation, user_id=user_id, given=given, origin=actor.origin_for(user_id), at=at)
        if roles.rank_of(membership.roles) > rank:
            raise RoleTooLow
        if roles.OWNER not in given:
            _check_another_owner(organisation, membership)
        if roles.rank_of(given) < roles.rank_of(membership.roles):
            _revoke_invitations(organisation, user_id, actor=actor, at=at)
        if membership.roles != given:
            _replace_roles(membership, given, origin=actor.origin_for(user_id), at=at)
    return membership


def add_member(
    organisation: Organisation, *, user_id: int, given: list[str], domain: str = "", origin: Origin, at: datetime
) -> Membership:
    """Add a user, in the transaction that has locked the organisation; `domain` by which it joins, if so.

    Raises UserNotFound.
    """
    user = user_changes.lock_user(user_id=user_id)
    FormerMember.objects.filter(organisation=organisation, user_id=user_id).delete()
    membership = Membership.objects.create(organisation=organisation, user=user, roles=given)
    announce_member(membership, "member_added", domain=domain, origin=origin, at=at)
    return membership


def remove_member(*, organisation_id: int, user_id: int, actor: Actor, at: datetime) -> None:
    """End a membership: one's own, or that of a member of no higher rank.

    Raises OrganisationNotFound, RoleTooLow, MemberNotFound and LastOwner.
    """
    with transaction.atomic():
        needs = roles.RANKS[roles.MEMBER] if user_id == actor.user_id else roles.MANAGES_MEMBERS
        organisation, rank = lock(organisation_id, actor, needs=needs)
        membership = _membership(organisation, user_id)
        if membership is None:
            raise MemberNotFound
        if roles.rank_of(membership.roles) > rank:
            raise RoleTooLow
        _check_another_owner(organisation, membership)
        _revoke_invitations(organisation, user_id, actor=actor, at=at)
        Membership.objects.filter(id=membership.id).delete()
        FormerMember.objects.get_or_create(organisation=organisation, user_id=user_id)
        membership.roles = []
        announce_member(membership, "member_removed", origin=actor.origin_for(user_id), at=at)


def give_role(organisation: Organisation, role: str, *, to: Collection[int], origin: Origin, at: datetime) -> None:
    """Add `role`, which is no built-in one, to those of the users `to`, in the transaction that has locked the
    organisation. Who is no member becomes one. Raises TooManyRoles and UserNotFound."""
    known = {each.user_id: each for each in _memberships(organisation, to)}
    for user_id in sorted(to):
        membership = known.get(user_id)
        if membership is None:
            add_member(organisation, user_id=user_id, given=[roles.MEMBER, role], origin=origin, at=at)
        elif role not in membership.roles:
            if len(membership.roles) >= roles.MAXIMUM:
                raise TooManyRoles
            _replace_roles(membership, [*membership.roles, role], origin=origin, at=at)


def withdraw_role(
    organisation: Organisation, role: str, *, of: Collection[int] | None, origin: Origin, at: datetime
) -> None:
    """Remove `role`, which is no built-in one, from those of the users `of`, or of all, in the same way."""
    for membership in _memberships(organisation, of).filter(roles__contains=[role]):
        _replace_roles(membership, [each for each in membership.roles if each != role], origin=origin, at=at)


def _memberships(organisation: Organisation, user_ids: Collection[int] | None) -> QuerySet[Membership]:
    found = Membership.objects.filter(organisation=organisation)
    if user_ids is not None:
        found = found.filter(user_id__in=user_ids)
    return found.select_related("user", "organisation").order_by("user_id")


def _replace_roles(membership: Membership, given: list[str], *, origin: Origin, at: datetime) -> None:
    membership.roles = given
    membership.save(update_fields=["roles"])
    announce_member(membership, "member_updated", origin=origin, at=at)


def lock(organisation_id: int, actor: Actor, *, needs: int) -> tuple[Organisation, int]:
    """The organisation, locked until the transaction ends, and the caller's rank in it.

    Raises OrganisationNotFound for whoever is not a member, and RoleTooLow below the rank `needs`.
    """
    organisation = Organisation.objects.select_for_update().filter(id=organisation_id).first()
    rank = selectors.rank_in(organisation_id, actor) if organisation else 0
    if organisation is None or not rank:
        raise OrganisationNotFound
    if rank < needs:
        raise RoleTooLow
    return organisation, rank


def _membership(organisation: Organisation, user_id: int) -> Membership | None:
    return Membership.objects.select_related("user").filter(organisation=organisation, user_id=user_id).first()


def _check_another_owner(organisation: Organisation, membership: Membership) -> None:
    """Raises LastOwner when `membership` is that of the only owner."""
    owners = Membership.objects.filter(organisation=organisation, roles__contains=[roles.OWNER])
    if roles.OWNER in membership.roles and not owners.exclude(id=membership.id).exists():
        raise LastOwner


def _revoke_invitations(organisation: Organisation, user_id: int, *, actor: Actor, at: datetime) -> None:
    """Withdraw what a member has sent while it had more rights, so that no invitation outlives them."""
    for invitation in Invitation.objects.filter(organisation=organisation, invited_by=user_id).order_by("id"):
        revoke_invitation(invitation, actor=actor, at=at)


def revoke_invitation(invitation: Invitation, *, actor: Actor, at: datetime) -> None:
    """Delete an invitation, in the transaction that has locked its organisation."""
    announce_invitation(invitation, "revoked", actor=actor, at=at)
    invitation.delete()


def announce(
    organisation: Organisation, change: str, *, actor: Actor, at: datetime, scim_client_id: int | None = None
) -> None:
    """Record an `organisation_changed_event`."""
    outbox.record(
        events.OrganisationChanged(
            change_id=str(cloud_events.uuid7()),
            change=change,
            changed_at=at.isoformat(),
            organisation_id=organisation.id,
            organisation=organisation.name,
            slug=organisation.slug,
            domains=selectors.domains_of(organisation.id),
            actor_id=actor.user_id,
            session_id=actor.origin.session_id,
            address=actor.origin.address,
            user_agent=actor.origin.user_agent,
            scim_client_id=scim_client_id,
        ),
        at=at,
    )


def announce_member(membership: Membership, change: str, *, domain: str = "", origin: Origin, at: datetime) -> None:
    """Record a `membership_changed_event` with the contact data of the member."""
    user: User = membership.user
    outbox.record(
        events.MembershipChanged.of(
            user,
            change_id=str(cloud_events.uuid7()),
            change=change,
            changed_at=at.isoformat(),
            organisation_id=membership.organisation_id,
            organisation=membership.organisation.name,
            slug=membership.organisation.slug,
            roles=membership.roles,
            domain=domain,
            actor_id=origin.actor_id,
            session_id=origin.session_id,
            address=origin.address,
            user_agent=origin.user_agent,
            scim_client_id=origin.scim_client_id,
        ),
        at=at,
    )


def announce_invitation(
    invitation: Invitation,
    change: str,
    *,
    actor: Actor | None,
    user_id: int | None = None,
    changed_at: datetime | None = None,
    at: datetime,
) -> None:
    """Record an `invitation_changed_event`: of `user_id`, who has accepted, of another actor, or without an actor."""
    origin = actor.origin if actor else Origin()
    outbox.record(
        events.InvitationChanged(
            change_id=str(cloud_events.uuid7()),
            change=change,
            changed_at=(changed_at or at).isoformat(),
            organisation_id=invitation.organisation_id,
            organisation=invitation.organisation.name,
            slug=invitation.organisation.slug,
            invitation_id=invitation.id,
            email=email_addresses.masked(invitation.email),
            roles=invitation.roles,
            user_id=user_id,
            actor_id=actor.user_id if actor and actor.user_id != user_id else None,
            session_id=origin.session_id,
            address=origin.address,
            user_agent=origin.user_agent,
        ),
        at=at,
    )
