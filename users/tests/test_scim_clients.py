"""The credentials of SCIM: who makes them, what they open, and how they end."""

import pytest
import time_machine
from django.test import Client

from chassis.outbox.models import OutboxMessage
from chassis.security import personal_tokens
from chassis.testing import authorization
from users.tests.builders import a_user, an_organisation, as_json
from users.tests.scim import Scim, a_scim_client, ada, error, events, provisioned
from users_ms.accounts.models import User
from users_ms.organisations.models import Membership
from users_ms.scim import selectors, services
from users_ms.scim.models import ScimClient

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme():
    return an_organisation(owner=a_user(email="owner@acme.example"))


@pytest.fixture
def owner(acme, caller):
    return caller(user_id=User.objects.get(email="owner@acme.example").id)


def path(acme):
    return f"/users-ms/organisations/{acme.id}/scim-clients"


def made(admin, acme, **changes):
    return admin.post(path(acme), **as_json({"name": "Entra ID", "domains": ["acme.example"]} | changes))


def test_the_token_is_shown_once_and_only_its_hash_is_stored(admin, owner, acme):
    answer = made(admin, acme)

    token = answer.json().pop("token")
    assert answer.status_code == 201 and answer.headers["Cache-Control"] == "no-store"
    assert token.startswith("tsr_scim_") and personal_tokens.is_well_formed(token, "tsr_scim_")
    assert bytes(ScimClient.objects.get().token_hash) == selectors.hash_of(token)
    assert token not in str(list(OutboxMessage.objects.values_list("body", flat=True)))
    [listed] = owner.get(path(acme)).json()["results"]
    assert listed == {name: value for name, value in answer.json().items() if name != "token"}
    assert (listed["name"], listed["domains"], listed["last_used_at"]) == ("Entra ID", ["acme.example"], None)
    [created] = events("organisation_changed_event")
    assert (created["change"], created["scim_client_id"]) == ("scim_client_created", listed["id"])
    assert created["actor_id"] == User.objects.get(is_admin=True).id


def test_its_use_is_noted_to_the_minute(admin, acme):
    scim = Scim(made(admin, acme).json()["token"])
    with time_machine.travel("2026-12-01T12:00:00Z", tick=False) as clock:
        times = []
        for seconds in (0, 30, 40):
            clock.shift(seconds)
            assert scim.get("/Users").status_code == 200
            times.append(ScimClient.objects.get().last_used_at.isoformat()[11:19])

    assert times == ["12:00:00", "12:00:00", "12:01:10"]


def test_several_tokens_of_an_organisation_manage_the_same_users(admin, acme):
    """So that a token is replaced without a gap."""
    first, second = (Scim(made(admin, acme).json()["token"]) for _ in range(2))
    shown = provisioned(first)
    assert admin.delete(f"{path(acme)}/{ScimClient.objects.order_by('id')[0].id}").status_code == 204

    assert error(first.get("/Users")) == (401, None)
    assert second.get(f"/Users/{shown['id']}").status_code == 200
    assert User.objects.filter(id=shown["id"], is_active=True).exists()
    assert events("organisation_changed_event")[-1]["change"] == "scim_client_revoked"


def test_an_owner_revokes_and_makes_none(owner, admin, acme):
    made(admin, acme)
    client = ScimClient.objects.get()

    assert made(owner, acme).status_code == 403
    assert owner.delete(f"{path(acme)}/{client.id}").status_code == 204
    assert owner.delete(f"{path(acme)}/{client.id}").json()["code"] == "scim_client_not_found"


def test_a_manager_of_members_neither_sees_nor_revokes(admin, acme, caller):
    manager = a_user(email="manager@acme.example")
    Membership.objects.create(organisation=acme, user=manager, roles=["admin"])
    made(admin, acme)

    assert caller(user_id=manager.id).get(path(acme)).status_code == 403
    assert caller(user_id=manager.id).delete(f"{path(acme)}/{ScimClient.objects.get().id}").status_code == 403


def test_a_client_of_another_organisation_is_not_revoked(admin, owner, acme):
    a_scim_client(an_organisation(slug="other", name="Other"), domains=["*"])

    assert owner.delete(f"{path(acme)}/{ScimClient.objects.get().id}").status_code == 404
    assert ScimClient.objects.exists()


def test_a_client_is_made_only_in_a_session_that_has_just_begun(admin, acme, settings):
    settings.PRIVILEGED_SESSION_SECONDS = -1

    assert made(admin, acme).json()["code"] == "sign_in_again"
    assert not ScimClient.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"domains": []}, "domains"),
        ({"domains": ["*.acme.example"]}, "domains"),
        ({"domains": ["ada@acme.example"]}, "domains"),
        ({"domains": ["acme"]}, "domains"),
        ({"domains": ["."]}, "domains"),
        ({"domains": ["acme.example"] * 51}, "domains"),
        ({"domains": "acme.example"}, "domains"),
        ({"domains": None}, "domains"),
        ({"name": ""}, "name"),
        ({"token": "x"}, "token"),
    ],
)
def test_an_invalid_client_is_rejected(admin, acme, changes, field):
    answer = made(admin, acme, **changes)

    assert answer.status_code == 400 and list(answer.json()["errors"]) == [field]


def test_domains_are_compared_as_addresses_are(admin, acme):
    scim = Scim(made(admin, acme, domains=["BÜCHER.example"]).json()["token"])

    assert provisioned(scim, userName="ada@xn--bcher-kva.example", emails=[])
    assert error(scim.post("/Users", ada(userName="a@bucher.example", emails=[]))) == (400, "invalidValue")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "Bearer",
        "Bearer x",
        "Basic dHNyX3NjaW1fOg==",
        "a personal access token",
        "another token of SCIM",
        "Bearer tsr_scim_" + "0" * 49,
    ],
)
@pytest.mark.parametrize("operation", sorted(each for each in authorization.operations("users-ms") if "_scim_" in each))
def test_no_other_credential_opens_scim(acme, operation, header):
    a_scim_client(acme, domains=["*"])
    called = authorization.operations("users-ms")[operation]
    if "/scim/v2/" not in called[1]:
        return
    made_up = {"a personal access token": "tsr_pat_", "another token of SCIM": "tsr_scim_"}
    if header in made_up:
        header = f"Bearer {personal_tokens.make(made_up[header])}"
    client = Client(headers={"Authorization": header} if header else {})

    answer = authorization.call(client, called, user_id=1, group_id=1, name="User")

    assert error(answer) == (401, None)
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="tessera"'


@pytest.mark.parametrize("operation", sorted(set(authorization.operations("users-ms")) - {"create_user", "load_test"}))
def test_a_scim_token_opens_scim_alone(acme, operation):
    """And nothing without authentication more than without it."""
    called = authorization.operations("users-ms")[operation]
    if "/scim/v2/" in called[1]:
        return
    token = a_scim_client(acme, domains=["*"])
    ids = {"user_id": 1, "organisation_id": acme.id, "invitation_id": 1, "client_id": 1}

    anonymous = authorization.call(Client(), called, **ids).status_code
    answer = authorization.call(Client(headers={"Authorization": f"Bearer {token}"}), called, **ids)

    assert answer.status_code == anonymous


def test_a_mistyped_token_reads_no_database(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert Scim("tsr_scim_" + "0" * 49).get("/Users").status_code == 401


def test_requests_are_limited(acme, monkeypatch):
    monkeypatch.setattr(services, "REQUESTS", services.rate_limits.Limit(name="scim", times=2, seconds=3600))
    scim = Scim(a_scim_client(acme, domains=["*"]))

    assert [scim.get("/Users").status_code for _ in range(2)] == [200, 200]
    answer = scim.get("/Users")
    assert error(answer) == (429, None) and int(answer.headers["Retry-After"]) > 0


def test_a_deleted_organisation_takes_its_clients_and_leaves_its_users(admin, acme):
    scim = Scim(made(admin, acme).json()["token"])
    shown = provisioned(scim)

    assert admin.delete(f"/users-ms/organisations/{acme.id}").status_code == 204

    assert error(scim.get("/Users")) == (401, None)
    assert User.objects.filter(id=shown["id"]).exists()
