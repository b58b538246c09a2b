"""Domains of organisations: who has a verified address there is a member, unless it was one before.

A user joins when somebody asks for its organisations, which each sign-in to an application that wants to know does, and
the user's own list. So it does not matter which came first, the address or the domain, and nothing has to be repeated.
"""

from dataclasses import replace
from datetime import datetime

from django.db import transaction

from chassis.database import constraints
from users_ms.accounts.events import Origin
from users_ms.accounts.problems import UserNotFound
from users_ms.accounts.services import user_changes
from users_ms.organisations import roles, selectors
from users_ms.organisations.models import Organisation, OrganisationDomain
from users_ms.organisations.problems import DomainTaken
from users_ms.organisations.services import members
from users_ms.organisations.services.members import Actor


def set_domains(*, organisation_id: int, domains: list[str], actor: Actor, at: datetime) -> list[str]:
    """Give an organisation exactly these domains; for administrators of the installation. Members stay.

    Raises OrganisationNotFound, RoleTooLow and DomainTaken.
    """
    with constraints.constraint("organisation_domain_unique", DomainTaken), transaction.atomic():
        organisation, _ = members.lock(organisation_id, actor, needs=roles.MANAGES_ORGANISATION)
        known, wanted = set(selectors.domains_of(organisation_id)), set(domains)
        OrganisationDomain.objects.filter(organisation=organisation, domain__in=known - wanted).delete()
        new = sorted(wanted - known)
        OrganisationDomain.objects.bulk_create(
            [OrganisationDomain(organisation=organisation, domain=each) for each in new]
        )
        if known != wanted:
            members.announce(organisation, "updated", actor=actor, at=at)
    return sorted(wanted)


def join(*, user_id: int, origin: Origin, at: datetime) -> None:
    """Make a user a member of the organisation that has the domain of its verified address, if there is one.

    Everything is looked at again with the organisation and then the user locked, in the order of all changes here.
    """
    found = selectors.joinable(user_id).values_list("organisation_id", flat=True).first()
    if found is None:
        return
    with transaction.atomic():
        organisation = Organisation.objects.select_for_update().filter(id=found).first()
        try:
            user_changes.lock_user(user_id=user_id)
        except UserNotFound:
            return
        domain = selectors.joinable(user_id).filter(organisation_id=found).values_list("domain", flat=True).first()
        if organisation is None or domain is None:
            return
        itself = replace(origin, actor_id=None)
        members.add_member(organisation, user_id=user_id, given=[roles.MEMBER], domain=domain, origin=itself, at=at)
