"""Domains of organisations: a verified address there makes a member, who does not come back after leaving."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chassis.outbox.models import OutboxMessage
from chassis.security import encryption
from users.tests.builders import an_admin, an_organisation, as_json
from users_ms.organisations import services
from users_ms.organisations.models import FormerMember, Membership, OrganisationDomain
from users_ms.organisations.services import domains

pytestmark = pytest.mark.django_db
PRIVATE_KEY, PUBLIC_KEY = encryption.generate_key_pair()


def named(name, email=None, **changes):
    email = email or f"{name}@acme.example"
    fields = {"is_admin": False, "name": name.title(), "email": email, "email_canonical": email, "email_verified": True}
    return an_admin(**fields | changes)


@pytest.fixture
def acme():
    return an_organisation(owner=named("owner", "owner@example.org"))


def put(client, organisation, *given):
    return client.put(f"/users-ms/organisations/{organisation.id}/domains", **as_json({"domains": list(given)}))


def memberships(auth_ms, user):
    """What auth-ms is told when the user signs in to an application that wants to know."""
    return auth_ms.get(f"/users-ms/internal/users/{user.id}/memberships").json()["memberships"]


def published(kind):
    return [each.body["data"] for each in OutboxMessage.objects.filter(exchange=kind).order_by("id")]


def member(organisation, user):
    return f"/users-ms/organisations/{organisation.id}/members/{user.id}"


def test_an_admin_sets_domains_which_are_published_and_shown_to_those_who_manage(admin, caller, acme):
    answer = put(admin, acme, "ACME.example", "acme.example", "bücher.example")

    assert answer.json() == {"domains": ["acme.example", "xn--bcher-kva.example"]}
    [changed] = published("organisation_changed_event")
    assert (changed["change"], changed["domains"]) == ("updated", answer.json()["domains"])
    owner = caller(user_id=acme.memberships.get().user_id)
    assert owner.get(f"/users-ms/organisations/{acme.id}/domains").json() == answer.json()
    assert put(admin, acme, "xn--bcher-kva.example").json() == {"domains": ["xn--bcher-kva.example"]}
    assert put(admin, acme, "bücher.example").status_code == 200
    assert len(published("organisation_changed_event")) == 2  # the last changed nothing


def test_nobody_else_sets_domains(caller, acme):
    member_of_acme = named("member")
    Membership.objects.create(organisation=acme, user=member_of_acme, roles=["member"])
    owner = acme.memberships.get(roles=["owner"]).user_id

    statuses = [put(caller(user_id=each), acme, "gmail.com").status_code for each in (owner, member_of_acme.id)]
    read = caller(user_id=member_of_acme.id).get(f"/users-ms/organisations/{acme.id}/domains")

    assert statuses == [403, 403] and not OrganisationDomain.objects.exists()
    assert read.status_code == 403


@pytest.mark.parametrize("wrong", ["", "acme", "@acme.example", "a@acme.example", "*.acme.example", "acme.org/x", 7])
def test_what_is_no_domain_is_refused(admin, acme, wrong):
    answer = put(admin, acme, "good.example", wrong)

    assert answer.status_code == 400 and list(answer.json()["errors"]) == ["domains"]
    assert not OrganisationDomain.objects.exists()


def test_a_domain_belongs_to_one_organisation(admin, acme):
    other = an_organisation(slug="other", owner=named("other", "other@example.org"))
    put(admin, acme, "acme.example")

    answer = put(admin, other, "other.example", "Acme.Example")

    assert (answer.status_code, answer.json()["code"]) == (409, "domain_taken")
    assert list(OrganisationDomain.objects.values_list("domain", flat=True)) == ["acme.example"]
    put(admin, acme)
    assert put(admin, other, "acme.example").status_code == 200


def test_a_verified_address_of_the_domain_makes_a_member_at_the_next_sign_in(admin, auth_ms, acme):
    ada = named("ada")
    put(admin, acme, "acme.example")

    found = memberships(auth_ms, ada)

    assert found == [{"organisation_id": acme.id, "slug": "acme", "name": "Acme", "roles": ["member"]}]
    [added] = published("membership_changed_event")
    assert (added["change"], added["user_id"], added["actor_id"]) == ("member_added", ada.id, None)
    assert (added["domain"], added["roles"]) == ("acme.example", ["member"])
    assert memberships(auth_ms, ada) == found and len(published("membership_changed_event")) == 1


def test_whoever_looks_at_its_organisations_joins_too(admin, caller, acme):
    ada = named("ada")
    put(admin, acme, "acme.example")

    [found] = caller(user_id=ada.id).get("/users-ms/organisations").json()["results"]

    assert found["id"] == acme.id
    assert published("membership_changed_event")[0]["address"] == "127.0.0.1"


@pytest.mark.parametrize(
    "changes",
    [
        {"email_verified": False},
        {"is_active": False},
        {"email": "ada@sub.acme.example", "email_canonical": "ada@sub.acme.example"},
        {"email": "ada@notacme.example", "email_canonical": "ada@notacme.example"},
        {"email": "acme.example@evil.example", "email_canonical": "acme.example@evil.example"},
        {"email": "a@x.org", "email_canonical": "a@x.org", "pending_email": "ada@acme.example"},
    ],
)
def test_nobody_else_joins(admin, auth_ms, acme, changes):
    ada = named("ada", **{"email": "ada@acme.example", "email_canonical": "ada@acme.example"} | changes)
    put(admin, acme, "acme.example")

    assert memberships(auth_ms, ada) == []
    assert not Membership.objects.filter(user=ada).exists()


def test_one_who_verifies_the_address_later_joins_then(admin, auth_ms, acme):
    ada = named("ada", email_verified=False)
    put(admin, acme, "acme.example")
    assert memberships(auth_ms, ada) == []

    auth_ms.post(f"/users-ms/internal/users/{ada.id}/email-verified", **as_json({"email": "ada@acme.example"}))

    assert len(memberships(auth_ms, ada)) == 1


@pytest.mark.parametrize("by", ["owner", "itself"])
def test_who_was_removed_or_has_left_does_not_come_back_alone(admin, auth_ms, caller, acme, by):
    ada = named("ada")
    put(admin, acme, "acme.example")
    memberships(auth_ms, ada)
    actor = ada.id if by == "itself" else acme.memberships.get(roles=["owner"]).user_id

    assert caller(user_id=actor).delete(member(acme, ada)).status_code == 204

    assert memberships(auth_ms, ada) == []
    assert caller(user_id=ada.id).get("/users-ms/organisations").json()["results"] == []


@pytest.mark.parametrize("how", ["added", "invited"])
def test_an_admin_or_an_invitation_brings_a_former_member_back(admin, auth_ms, caller, acme, settings, how):
    settings.SEALING_PUBLIC_KEY = PUBLIC_KEY
    ada = named("ada")
    put(admin, acme, "acme.example")
    memberships(auth_ms, ada)
    admin.delete(member(acme, ada))

    if how == "added":
        admin.put(member(acme, ada), **as_json({"roles": ["member"]}))
    else:
        invitation = {"email": ada.email, "roles": ["member"]}
        admin.post(f"/users-ms/organisations/{acme.id}/invitations", **as_json(invitation))
        sealed = published("organisation_invitation_event")[0]["sealed_token"]
        token = encryption.decrypt_with_private_key(
            sealed, private_key=PRIVATE_KEY, info="organisation_invitation_event"
        )
        caller(user_id=ada.id).post("/users-ms/organisations/invitations/accept", **as_json({"token": token}))

    assert len(memberships(auth_ms, ada)) == 1 and not FormerMember.objects.exists()


def test_one_who_was_removed_before_there_was_a_domain_stays_out(admin, auth_ms, acme):
    ada = named("ada")
    admin.put(member(acme, ada), **as_json({"roles": ["member"]}))
    admin.delete(member(acme, ada))

    put(admin, acme, "acme.example")

    assert memberships(auth_ms, ada) == []


def test_members_stay_when_the_domain_goes_and_nobody_joins_any_more(admin, auth_ms, acme):
    ada, late = named("ada"), named("late")
    put(admin, acme, "acme.example")
    memberships(auth_ms, ada)

    put(admin, acme)

    assert len(memberships(auth_ms, ada)) == 1 and memberships(auth_ms, late) == []


def test_a_deleted_user_leaves_no_trace_as_a_former_member(admin, acme):
    ada = named("ada")
    admin.put(member(acme, ada), **as_json({"roles": ["member"]}))
    admin.delete(member(acme, ada))
    assert FormerMember.objects.exists()

    assert admin.delete(f"/users-ms/users/{ada.id}").status_code == 204

    assert not FormerMember.objects.exists()


@pytest.mark.parametrize("meanwhile", ["removed", "domain gone", "deleted"])
def test_what_happens_before_the_lock_counts(admin, acme, meanwhile, monkeypatch):
    ada = named("ada")
    put(admin, acme, "acme.example")
    lock = domains.user_changes.lock_user

    def faster(*, user_id):
        if meanwhile == "removed":
            FormerMember.objects.create(organisation=acme, user_id=user_id)
        elif meanwhile == "domain gone":
            OrganisationDomain.objects.all().delete()
        else:
            ada.delete()
        return lock(user_id=user_id)

    monkeypatch.setattr(domains.user_changes, "lock_user", faster)

    services.join(user_id=ada.id or 0, origin=domains.Origin(), at=timezone.now() + timedelta())

    assert not Membership.objects.filter(organisation=acme).exclude(roles=["owner"]).exists()


def test_it_costs_one_statement_where_there_is_nothing_to_join(auth_ms, acme):
    ada = named("ada")
    memberships(auth_ms, ada)  # the key of auth-ms is known then

    with CaptureQueriesContext(connection) as statements:
        memberships(auth_ms, ada)

    about = [each["sql"] for each in statements if "organisations_" in each["sql"]]
    assert len(about) == 2  # the memberships are the other one
