"""What an identity provider does to users by SCIM, and what it cannot do."""

import pytest

from chassis.outbox.models import OutboxMessage
from users.tests.builders import a_user, an_organisation
from users.tests.scim import USER, Scim, a_scim_client, ada, error, events, provisioned
from users_ms.accounts.models import FormerAddress, User
from users_ms.organisations.models import Membership
from users_ms.scim.models import ScimUser

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme():
    return an_organisation()


@pytest.fixture
def scim(acme):
    return Scim(a_scim_client(acme, domains=["acme.example", "acme2.example"]))


@pytest.fixture
def stranger():
    """The identity provider of another organisation, which may give any address."""
    return Scim(a_scim_client(an_organisation(slug="other", name="Other"), domains=["*"]))


def test_a_user_becomes_a_member_with_a_verified_address_and_no_password(scim, acme):
    answer = scim.post("/Users", ada())

    shown, user = answer.json(), User.objects.get()
    assert answer.status_code == 201
    assert answer.headers["Location"] == shown["meta"]["location"] == f"/users-ms/scim/v2/Users/{user.id}"
    assert answer.headers["Content-Type"] == "application/scim+json"
    assert (shown["id"], shown["userName"], shown["active"]) == (str(user.id), "ada@acme.example", True)
    assert shown["externalId"] == "00ujl29u0le5T6Aj10h7"
    assert not {"displayName", "password", "locale"} & set(shown)
    assert (user.name, user.surname, user.email) == ("Ada", "Lovelace", "ada@acme.example")
    assert user.email_verified and user.password_hash.startswith("!")
    assert Membership.objects.get(user=user).roles == ["member"]
    [new], [added] = events("new_user_event"), events("membership_changed_event")
    assert new["email_verified"] and new["user_id"] == user.id
    assert (added["change"], added["organisation_id"], added["actor_id"]) == ("member_added", acme.id, None)
    assert added["scim_client_id"]


@pytest.mark.parametrize("email", ["ada@acme.example", "ADA@Acme.Example"])
def test_an_existing_account_is_never_taken_over(scim, acme, email):
    victim = a_user(email="ada@acme.example")
    OutboxMessage.objects.all().delete()

    answer = scim.post("/Users", ada(userName=email, emails=[{"value": email}], active=False))

    assert error(answer) == (409, "uniqueness")
    victim.refresh_from_db()
    assert victim.is_active and victim.password_hash.startswith("bcrypt")
    assert not Membership.objects.exists() and not ScimUser.objects.exists() and not OutboxMessage.objects.exists()


def test_an_address_can_not_be_moved_to_that_of_another_account(scim):
    a_user(email="eve@acme.example")
    shown = provisioned(scim)

    answer = scim.patch(
        f"/Users/{shown['id']}", {"op": "replace", "path": "emails", "value": [{"value": "eve@acme.example"}]}
    )

    assert error(answer) == (409, "uniqueness")
    assert User.objects.get(id=shown["id"]).email == "ada@acme.example"


@pytest.mark.parametrize("email", ["ada@evil.example", "ada@sub.acme.example", "ada@acme.example.evil.example"])
def test_only_addresses_of_the_organisations_domains_are_given(scim, email):
    shown = provisioned(scim)
    change = {"op": "replace", "path": 'emails[type eq "work"].value', "value": email}

    assert error(scim.post("/Users", ada(userName=email, emails=[{"value": email}]))) == (400, "invalidValue")
    assert error(scim.patch(f"/Users/{shown['id']}", change)) == (400, "invalidValue")

    assert [user.email for user in User.objects.all()] == ["ada@acme.example"]


def test_a_user_of_nobody_or_of_another_organisation_is_not_found(scim, stranger):
    mine, other = provisioned(scim), a_user(email="grace@example.org")
    before = User.objects.get(id=mine["id"]).version

    for path in (f"/Users/{mine['id']}", f"/Users/{other.id}", "/Users/4711", f"/Users/{2**63}", "/Users/x"):
        assert error(stranger.get(path)) == (404, None)
        assert error(stranger.put(path, ada())) == (404, None)
        assert error(stranger.patch(path, {"op": "replace", "path": "active", "value": False})) == (404, None)
        assert error(stranger.delete(path)) == (404, None)
    assert stranger.get("/Users").json()["totalResults"] == 0
    assert stranger.get("/Users", filter='userName eq "ada@acme.example"').json()["Resources"] == []

    assert User.objects.get(id=mine["id"]).version == before and User.objects.count() == 2


def test_an_administrator_of_the_installation_is_never_changed(scim):
    shown = provisioned(scim)
    User.objects.filter(id=shown["id"]).update(is_admin=True)
    OutboxMessage.objects.all().delete()
    path = f"/Users/{shown['id']}"

    assert error(scim.patch(path, {"op": "replace", "value": {"active": False}})) == (403, None)
    assert error(scim.patch(path, {"op": "replace", "path": "emails.value", "value": "x@acme.example"})) == (403, None)
    assert error(scim.put(path, ada(active=False))) == (403, None)
    assert error(scim.delete(path)) == (403, None)

    user = User.objects.get()
    assert user.is_active and user.email == "ada@acme.example" and not OutboxMessage.objects.exists()


@pytest.mark.parametrize("name", ["is_admin", "isAdmin", "scopes", "metadata", "roles", "entitlements", "userType"])
def test_nobody_gets_rights_of_the_installation(scim, name):
    shown = provisioned(scim, **{name: True})
    value = [{"value": "admin"}]

    for operation in ({"op": "add", "path": name, "value": value}, {"op": "replace", "value": {name: value}}):
        assert scim.patch(f"/Users/{shown['id']}", operation).status_code == 200

    user = User.objects.get()
    assert not user.is_admin and user.scopes == [] and user.metadata == {}
    assert Membership.objects.get().roles == ["member"]


DEACTIVATIONS = {
    "Okta": {"op": "replace", "value": {"active": False}},
    "Entra ID": {"op": "Replace", "path": "active", "value": "False"},
    "Entra ID, by the specification": {"op": "Replace", "path": "active", "value": False},
    "with the URN": {"op": "replace", "path": f"{USER}:active", "value": False},
}


@pytest.mark.parametrize("of", DEACTIVATIONS)
def test_a_deactivation_is_announced_as_that_of_an_admin_is(scim, of):
    shown = provisioned(scim)

    answer = scim.patch(f"/Users/{shown['id']}", DEACTIVATIONS[of])

    assert answer.status_code == 200 and answer.json()["active"] is False
    assert User.objects.get().is_active is False
    [changed] = events("account_changed_event")
    assert (changed["change"], changed["actor_id"], changed["user_agent"]) == (
        "deactivated",
        None,
        "Okta SCIM Client 1.0.0",
    )
    assert changed["scim_client_id"]


def test_a_user_is_activated_again_and_a_put_without_active_does_not_do_so(scim):
    path = f"/Users/{provisioned(scim, active=False)['id']}"
    assert User.objects.get().is_active is False

    without = ada()
    del without["active"]
    assert scim.put(path, without).json()["active"] is False
    assert scim.put(path, ada()).json()["active"] is True

    assert [event["change"] for event in events("account_changed_event")] == ["deactivated", "activated"]


def test_a_deletion_erases_the_account(scim):
    shown = provisioned(scim)

    assert scim.delete(f"/Users/{shown['id']}").status_code == 204

    assert error(scim.get(f"/Users/{shown['id']}")) == (404, None)
    assert not User.objects.exists() and not ScimUser.objects.exists() and not Membership.objects.exists()
    [deleted] = events("user_deleted_event")
    assert str(deleted["user_id"]) == shown["id"] and deleted["scim_client_id"]


def test_who_deletes_the_account_is_gone_for_the_organisation_too(scim):
    shown = provisioned(scim)
    User.objects.all().delete()

    assert error(scim.get(f"/Users/{shown['id']}")) == (404, None)
    assert provisioned(scim)["id"] != shown["id"]


def test_another_address_counts_at_once_and_the_former_one_is_notified(scim):
    shown = provisioned(scim)

    answer = scim.patch(
        f"/Users/{shown['id']}",
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "lovelace@acme2.example"},
        {"op": "Replace", "path": "userName", "value": "lovelace@acme2.example"},
    )

    assert answer.json()["emails"] == [{"value": "lovelace@acme2.example", "type": "work", "primary": True}]
    user = User.objects.get()
    assert (user.email, user.email_canonical, user.pending_email) == (
        "lovelace@acme2.example",
        "lovelace@acme2.example",
        "",
    )
    assert user.email_verified
    changes = events("account_changed_event")
    assert {event["change"] for event in changes} == {"email_changed"}
    assert {event["email"] for event in changes} == {"ada@acme.example", "lovelace@acme2.example"}
    assert FormerAddress.objects.get().email == "ada@acme.example"


def test_entra_id_changes_a_name_with_attributes_that_are_not_supported(scim):
    shown = provisioned(scim)

    answer = scim.patch(
        f"/Users/{shown['id']}",
        {"op": "Add", "path": "name.givenName", "value": "Augusta"},
        {"op": "Replace", "path": "name.familyName", "value": "King"},
        {"op": "Replace", "path": "displayName", "value": "Augusta King"},
        {"op": "Add", "path": 'addresses[type eq "work"].formatted', "value": "Piccadilly"},
        {"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "R&D"},
        {"op": "Replace", "value": {"name.familyName": "Noel-King", "externalId": "58342554", "title": "Countess"}},
    )

    assert answer.status_code == 200
    assert answer.json()["name"] == {"givenName": "Augusta", "familyName": "Noel-King"}
    assert answer.json()["externalId"] == "58342554"
    [changed] = events("profile_changed_event")
    assert changed["changed"] == ["name", "surname"]


def test_an_attribute_of_an_extension_is_not_taken_for_one_of_users(scim):
    shown = provisioned(scim)
    extension = "urn:example:params:scim:schemas:extension:1.0:User"

    answer = scim.patch(
        f"/Users/{shown['id']}",
        {"op": "replace", "path": f"{extension}:active", "value": False},
        {"op": "replace", "value": {extension: {"active": False}}},
    )

    assert answer.status_code == 200 and answer.json()["active"] is True


def test_a_user_name_belongs_to_one_user_of_an_organisation(scim, stranger):
    provisioned(scim, userName="ada")
    grace = ada(userName="ADA", emails=[{"value": "grace@acme.example"}])

    assert error(scim.post("/Users", grace)) == (409, "uniqueness")
    assert stranger.post("/Users", grace).status_code == 201  # of another organisation

    second = provisioned(scim, userName="second", emails=[{"value": "second@acme.example"}])
    change = {"op": "replace", "path": "userName", "value": "Ada"}
    assert error(scim.patch(f"/Users/{second['id']}", change)) == (409, "uniqueness")
    assert provisioned(scim, userName="third", emails=[{"value": "third@acme.example"}])


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"name": {"givenName": "", "familyName": "Lovelace"}}, ("Lovelace", "")),
        ({"name": None}, ("Ada Lovelace", "")),
        ({"name": None, "displayName": None}, ("ada", "")),
        ({"name": {"formatted": "Countess"}, "displayName": None}, ("Countess", "")),
    ],
)
def test_a_user_has_a_name_even_where_the_provider_has_none(scim, changes, name):
    provisioned(scim, **changes)

    user = User.objects.get()
    assert (user.name, user.surname) == name


@pytest.mark.parametrize(
    ("emails", "chosen"),
    [
        (None, "ada@acme.example"),
        ([], "ada@acme.example"),
        ([{"value": "a@acme2.example"}], "a@acme2.example"),
        (
            [{"value": "a@acme2.example", "primary": False}, {"value": "b@acme2.example", "primary": True}],
            "b@acme2.example",
        ),
        (
            [{"value": "a@acme2.example", "primary": "true"}, {"value": "b@acme2.example", "primary": False}],
            "a@acme2.example",
        ),
        (
            [
                {"value": "a@acme2.example", "type": "work", "primary": False},
                {"value": "b@acme2.example", "type": "home", "primary": False},
            ],
            "a@acme2.example",
        ),
    ],
)
def test_of_several_addresses_the_primary_one_counts(scim, emails, chosen):
    assert provisioned(scim, emails=emails)["emails"][0]["value"] == chosen
    assert User.objects.get().email == chosen


@pytest.mark.parametrize(
    "changes",
    [
        {"userName": None},
        {"userName": ""},
        {"userName": 7},
        {"userName": "x" * 255},
        {"userName": "ada", "emails": []},
        {"emails": [{"value": "not an address"}]},
        {"emails": "ada@"},
        {"emails": [7]},
        {"name": "Ada"},
        {"name": {"givenName": "x" * 101}},
        {"name": {"givenName": "a\nb"}},
        {"active": "perhaps"},
        {"externalId": "x" * 256},
    ],
)
def test_an_invalid_user_is_rejected(scim, changes):
    assert error(scim.post("/Users", ada(**changes))) == (400, "invalidValue")
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ({"op": "move", "path": "active"}, "invalidSyntax"),
        ({"path": "active"}, "invalidSyntax"),
        ("x", "invalidSyntax"),
        ({"op": "remove"}, "noTarget"),
        ({"op": "replace", "value": "x"}, "invalidValue"),
        ({"op": "replace", "path": 7, "value": "x"}, "invalidPath"),
        ({"op": "replace", "path": "emails[", "value": "x"}, "invalidPath"),
        ({"op": "replace", "path": 'emails[type eq "work"', "value": "x"}, "invalidPath"),
        ({"op": "replace", "path": "id", "value": "8"}, "mutability"),
        ({"op": "add", "path": "groups", "value": [{"value": "1"}]}, "mutability"),
        ({"op": "remove", "path": "userName"}, "invalidValue"),
        ({"op": "replace", "path": "name", "value": "Ada"}, "invalidValue"),
        ({"op": "replace", "path": 'emails[type eq "work"]', "value": "x"}, "invalidValue"),
    ],
)
def test_an_invalid_operation_is_rejected(scim, operation, kind):
    shown = provisioned(scim)

    assert error(scim.patch(f"/Users/{shown['id']}", operation)) == (400, kind)


@pytest.mark.parametrize(
    ("operations", "emails"),
    [
        ([{"op": "add", "path": "emails", "value": [{"value": "b@acme2.example"}]}], ("b@acme2.example", "work")),
        (
            [{"op": "add", "path": "emails", "value": [{"value": "b@acme2.example", "primary": False}]}],
            ("ada@acme.example", "work"),
        ),
        (
            [{"op": "add", "path": 'emails[type eq "home"].value', "value": "b@acme2.example"}],
            ("b@acme2.example", "home"),
        ),
        ([{"op": "replace", "path": "emails.value", "value": "b@acme2.example"}], ("b@acme2.example", "work")),
        (
            [
                {"op": "remove", "path": 'emails[type eq "work"]'},
                {"op": "add", "path": "emails", "value": [{"value": "b@acme2.example", "type": "home"}]},
            ],
            ("b@acme2.example", "home"),
        ),
        (
            [{"op": "replace", "path": "emails[primary eq true]", "value": {"Type": "home"}}],
            ("ada@acme.example", "home"),
        ),
    ],
)
def test_operations_on_addresses_leave_one(scim, operations, emails):
    shown = provisioned(scim)

    answer = scim.patch(f"/Users/{shown['id']}", *operations)

    [email] = answer.json()["emails"]
    assert (email["value"], email["type"]) == emails


def test_answers_show_what_is_asked_for(scim):
    path = f"/Users/{provisioned(scim)['id']}"

    assert set(scim.get(path, attributes="userName, NAME.familyName").json()) == {"schemas", "id", "userName", "name"}
    assert scim.get(path, attributes="name.familyName").json()["name"] == {"familyName": "Lovelace"}
    assert "emails" not in scim.get(path, excludedAttributes="emails").json()
    assert scim.get(path, excludedAttributes="name.givenName,id").json()["name"] == {"familyName": "Lovelace"}
    assert error(scim.get(path, attributes="a b")) == (400, "invalidValue")
    [row] = scim.get("/Users", attributes=f"{USER}:userName").json()["Resources"]
    assert set(row) == {"schemas", "id", "userName"}


def test_a_body_that_is_not_json_is_a_scim_error(scim):
    answer = scim._client.post("/users-ms/scim/v2/Users", "{", content_type="application/scim+json")

    assert error(answer) == (400, "invalidSyntax")
    assert error(scim.post("/Users", [])) == (400, "invalidSyntax")
    assert error(scim._client.post("/users-ms/scim/v2/Users", "x", content_type="text/plain")) == (415, None)


def test_what_is_not_supported_says_so(scim):
    config = scim.get("/ServiceProviderConfig").json()

    assert config["bulk"]["supported"] is config["etag"]["supported"] is config["changePassword"]["supported"] is False
    assert error(scim.post("/Bulk", {"Operations": []})) == (404, None)
    assert error(scim.get("/Me")) == (404, None)
    assert error(scim.post("/.search", {})) == (501, None)
    assert error(scim.get("/Schemas", filter='name eq "x"')) == (403, None)
    assert error(scim.get("/Schemas/urn:x")) == (404, None)
