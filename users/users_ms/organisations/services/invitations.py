"""Invitations by mail: sent to an address, whether or not it has an account, and accepted by who reads its mail."""

import secrets
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from chassis.http import email_addresses
from chassis.http.client_address import Client
from chassis.operations import pruning
from chassis.outbox import services as outbox
from chassis.security import encryption, password_concurrency
from chassis.security.rate_limits import services as rate_limits
from users_ms.accounts import services as accounts
from users_ms.accounts.events import Origin
from users_ms.accounts.models import User
from users_ms.accounts.services import sign_up_policy, user_changes
from users_ms.organisations import events, roles, selectors
from users_ms.organisations.models import FormerMember, Invitation, Membership, Organisation
from users_ms.organisations.problems import (
    AlreadyMember,
    InvitationForAnotherAddress,
    InvitationNotFound,
    RoleTooLow,
)
from users_ms.organisations.services import members
from users_ms.organisations.services.members import Actor

# Whoever invites, nobody gets more mails than this; and no organisation sends more.
OF_RECIPIENT = rate_limits.Limit(name="invitation_recipient", times=5, seconds=24 * 3600)
OF_ORGANISATION = rate_limits.Limit(name="invitation_organisation", times=200, seconds=24 * 3600)
KEPT_AFTER_EXPIRY = timedelta(days=7)  # to be sent again


def invite(*, organisation_id: int, email: str, given: list[str], actor: Actor, at: datetime) -> Invitation:
    """Invite an address, or invite it again with other roles. The answer is the same with or without an account.

    Raises OrganisationNotFound, RoleTooLow, AlreadyMember and TooManyRequests.
    """
    canonical = email_addresses.canonical(email)
    with transaction.atomic():
        organisation, rank = members.lock(organisation_id, actor, needs=roles.MANAGES_MEMBERS)
        invitation = Invitation.objects.filter(organisation=organisation, email_canonical=canonical).first()
        if roles.rank_of(given) > rank or (invitation and roles.rank_of(invitation.roles) > rank):
            raise RoleTooLow
        if Membership.objects.filter(organisation=organisation, user__email_canonical=canonical).exists():
            raise AlreadyMember
        invitation = invitation or Invitation(organisation=organisation, email_canonical=canonical, created_at=at)
        invitation.email, invitation.roles = email, given
        return _send(invitation, actor=actor, at=at)


def resend(*, organisation_id: int, invitation_id: int, actor: Actor, at: datetime) -> Invitation:
    """Send an invitation again, with another token and for its whole time; the earlier token is of no use any more.

    Raises OrganisationNotFound, RoleTooLow, InvitationNotFound and TooManyRequests.
    """
    with transaction.atomic():
        return _send(_lock(organisation_id, invitation_id, actor), actor=actor, at=at)


def revoke(*, organisation_id: int, invitation_id: int, actor: Actor, at: datetime) -> None:
    """Withdraw an invitation. Raises OrganisationNotFound, RoleTooLow and InvitationNotFound."""
    with transaction.atomic():
        members.revoke_invitation(_lock(organisation_id, invitation_id, actor), actor=actor, at=at)


def _lock(organisation_id: int, invitation_id: int, actor: Actor) -> Invitation:
    organisation, rank = members.lock(organisation_id, actor, needs=roles.MANAGES_MEMBERS)
    invitation = Invitation.objects.filter(organisation=organisation, id=invitation_id).first()
    if invitation is None:
        raise InvitationNotFound
    if roles.rank_of(invitation.roles) > rank:
        raise RoleTooLow
    return invitation


def _send(invitation: Invitation, *, actor: Actor, at: datetime) -> Invitation:
    """Store the invitation with a new token, and publish it; the token is in no database but encrypted."""
    rate_limits.take(OF_ORGANISATION, key=str(invitation.organisation_id))
    rate_limits.take(OF_RECIPIENT, key=invitation.email_canonical)
    token, kind = secrets.token_urlsafe(32), events.OrganisationInvitation
    invitation.token_hash = selectors.hash_of(token)
    invitation.invited_by = actor.user_id
    invitation.expires_at = at + timedelta(seconds=settings.INVITATION_SECONDS)
    invitation.save()
    inviter = User.objects.get(id=actor.user_id)
    outbox.record(
        kind(
            user_id=inviter.id,
            email=invitation.email,
            email_verified=False,
            locale=inviter.locale,
            time_zone=inviter.time_zone,
            organisation_id=invitation.organisation_id,
            organisation=invitation.organisation.name,
            sealed_token=encryption.encrypt_with_public_key(
                token, public_key=settings.SEALING_PUBLIC_KEY, info=kind.type
            ),
            expires_at=invitation.expires_at.isoformat(),
        ),
        at=at,
    )
    members.announce_invitation(invitation, "sent", actor=actor, at=at)
    return invitation


def accept(*, token: str, actor: Actor, at: datetime) -> Organisation:
    """Join the organisation with the invited roles, once. Who is a member already keeps the roles.

    Raises InvitationNotFound, and InvitationForAnotherAddress unless the invited address is the verified one of the
    caller's account.
    """
    known = selectors.find_invitation(token, at=at)
    with transaction.atomic():
        organisation = Organisation.objects.select_for_update().filter(id=known.organisation_id).first()
        user = user_changes.lock_user(user_id=actor.user_id)
        invitation = Invitation.objects.select_for_update().filter(id=known.id, token_hash=known.token_hash).first()
        if organisation is None or invitation is None:
            raise InvitationNotFound
        if not user.email_verified or user.email_canonical != invitation.email_canonical:
            raise InvitationForAnotherAddress
        members.announce_invitation(invitation, "accepted", actor=actor, user_id=user.id, at=at)
        invitation.delete()
        membership = Membership.objects.filter(organisation=organisation, user=user).first()
        if membership is None:
            membership = members.add_member(
                organisation, user_id=user.id, given=invitation.roles, origin=actor.origin_for(user.id), at=at
            )
    organisation.own_roles = membership.roles
    return organisation


def sign_up(*, token: str, client: Client, at: datetime, **fields: Any) -> User:
    """Create an account for the invited address, which the token proves to be verified, and join.

    When the second step fails, the account is there, and the invitation can still be accepted with it. Raises
    SignUpNotAllowed, TooManyRequests, InvitationNotFound, and EmailTaken, which only who has the mail is told.
    """
    password_concurrency.passwords.check()
    limit = rate_limits.Limit(name="sign_up", times=settings.SIGN_UPS_PER_HOUR, seconds=3600, is_shown=True)
    rate_limits.take(limit, key=client.network)
    invitation = selectors.find_invitation(token, at=at)
    sign_up_policy.check(email=invitation.email, invited=True)
    origin = Origin(address=client.address, user_agent=client.user_agent)
    user = accounts.create_user(email=invitation.email, email_verified=True, origin=origin, at=at, **fields)
    accept(token=token, actor=Actor(user_id=user.id, is_admin=False, origin=origin), at=at)
    return user


def forget_user(user: User) -> None:
    """Delete the invitations that a deleted user has sent, those to its address, and where it was a member."""
    FormerMember.objects.filter(user_id=user.id).delete()
    Invitation.objects.filter(Q(invited_by=user.id) | Q(email_canonical=user.email_canonical)).delete()


def prune(*, at: datetime) -> None:
    """Delete invitations that expired KEPT_AFTER_EXPIRY ago, with the address.

    Only then they cannot be sent again, so only then the audit log is told, with the time when they expired.
    """
    expired = Invitation.objects.select_related("organisation").filter(expires_at__lt=at - KEPT_AFTER_EXPIRY)

    def announce(invitation: Invitation) -> None:
        members.announce_invitation(invitation, "expired", actor=None, changed_at=invitation.expires_at, at=at)

    pruning.delete(expired, before_each=announce)
