"""Groups by SCIM: their members have a role in the organisation, which reaches products in tokens."""

import json

import pytest

from chassis.outbox.models import OutboxMessage
from users.tests.builders import a_user, an_organisation
from users.tests.scim import Scim, a_scim_client, ada, error, events, provisioned
from users_ms.organisations import selectors
from users_ms.organisations.models import Membership
from users_ms.scim.models import ScimGroup

pytestmark = pytest.mark.django_db
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"


@pytest.fixture
def acme():
    return an_organisation()


@pytest.fixture
def scim(acme):
    return Scim(a_scim_client(acme, domains=["acme.example"]))


@pytest.fixture
def people(scim):
    """The ids of three users."""
    names = ["ada", "bob", "eve"]
    addresses = [f"{name}@acme.example" for name in names]
    return [provisioned(scim, userName=each, emails=[{"value": each}])["id"] for each in addresses]


def group(scim, *ids, **changes):
    body = {"schemas": [GROUP], "displayName": "Sales & Marketing", "members": [{"value": each} for each in ids]}
    answer = scim.post("/Groups", body | changes)
    assert answer.status_code == 201, answer.content
    return answer.json()


def members(scim, shown):
    return [each["value"] for each in scim.get(f"/Groups/{shown['id']}").json().get("members", [])]


def roles_of(user_id):
    return Membership.objects.get(user_id=user_id).roles


def test_members_of_a_group_have_its_role_which_tokens_show(scim, acme, people):
    answer = group(scim, people[0], externalId="g-1")

    assert answer["externalId"] == "g-1" and answer["meta"]["location"] == f"/users-ms/scim/v2/Groups/{answer['id']}"
    [membership] = selectors.memberships_of(user_id=int(people[0]), organisation="acme")
    assert membership["roles"] == ["member", "group/Sales-Marketing"]
    assert roles_of(people[1]) == ["member"]
    assert [(event["change"], event["roles"]) for event in events("membership_changed_event")][-1] == (
        "member_updated",
        ["member", "group/Sales-Marketing"],
    )
    shown = scim.get(f"/Users/{people[0]}").json()["groups"]
    assert shown == [{"value": answer["id"], "$ref": answer["meta"]["location"], "display": "Sales & Marketing"}]


@pytest.mark.parametrize(
    "name", ["owner", "admin", "member", "group/owner", "billing:admin", "Ömer's \U0001f600", "社員"]
)
def test_no_name_of_a_group_gives_a_role_that_carries_rights(scim, people, name):
    group(scim, people[0], displayName=name)

    [built_in, role] = roles_of(people[0])
    assert built_in == "member" and role.startswith("group/") and role.isascii()


def test_two_groups_never_share_a_role(scim, people):
    first, second = group(scim, people[0], displayName="R&D"), group(scim, people[1], displayName="R/D")
    scim.patch(f"/Groups/{first['id']}", {"op": "replace", "value": {"id": first["id"], "displayName": "Research"}})
    third = group(scim, people[2], displayName="R&D")

    assert [members(scim, each) for each in (first, second, third)] == [[people[0]], [people[1]], [people[2]]]
    assert len({ScimGroup.objects.get(id=each["id"]).role for each in (first, second, third)}) == 3
    assert error(scim.post("/Groups", {"displayName": "research"})) == (409, "uniqueness")


OPERATIONS = {
    "add": ([{"op": "add", "path": "members", "value": [{"value": "{2}", "display": "eve"}]}], [0, 1, 2]),
    "add, as Entra ID": ([{"op": "Add", "path": "members", "value": [{"$ref": None, "value": "{2}"}]}], [0, 1, 2]),
    "add without a path": ([{"op": "add", "value": {"members": [{"value": "{2}"}]}}], [0, 1, 2]),
    "again": ([{"op": "add", "path": "members", "value": [{"value": "{0}"}]}], [0, 1]),
    "remove by filter": ([{"op": "remove", "path": 'members[value eq "{0}"]'}], [1]),
    "remove, as Entra ID": ([{"op": "Remove", "path": "members", "value": [{"value": "{0}"}]}], [1]),
    "remove several": ([{"op": "remove", "path": 'members[value eq "{0}" or value eq "{1}"]'}], []),
    "remove all": ([{"op": "remove", "path": "members"}], []),
    "replace": ([{"op": "replace", "path": "members", "value": [{"value": "{2}"}]}], [2]),
    "remove all and add": (
        [{"op": "remove", "path": "members"}, {"op": "add", "path": "members", "value": {"value": "{1}"}}],
        [1],
    ),
    "remove and add again": (
        [
            {"op": "remove", "path": 'members[value eq "{0}"]'},
            {"op": "add", "path": f"{GROUP}:members", "value": [{"value": "{0}"}]},
        ],
        [0, 1],
    ),
    "of somebody who is none": ([{"op": "remove", "path": 'members[value eq "{2}"]'}], [0, 1]),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_change_members(scim, people, name):
    operations, wanted = OPERATIONS[name]
    shown = group(scim, people[0], people[1])
    text = json.dumps(operations)
    for number, user_id in enumerate(people):
        text = text.replace(f"{{{number}}}", user_id)

    answer = scim.patch(f"/Groups/{shown['id']}", *json.loads(text))

    assert answer.status_code == 204 and answer.content == b""
    assert members(scim, shown) == [people[each] for each in wanted]


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ({"op": "add", "path": "members", "value": [{"value": "x"}]}, "invalidValue"),
        ({"op": "add", "path": "members", "value": [{"value": "4711"}]}, "invalidValue"),
        ({"op": "add", "path": "members", "value": [{"value": 7}]}, "invalidValue"),
        ({"op": "add", "path": "members", "value": "x"}, "invalidValue"),
        ({"op": "replace", "path": 'members[value eq "1"].value', "value": "2"}, "invalidPath"),
        ({"op": "replace", "path": "members.value", "value": "2"}, "mutability"),
        ({"op": "remove", "path": 'members[display eq "x"]'}, "invalidFilter"),
        ({"op": "remove", "path": "displayName"}, "invalidValue"),
        ({"op": "replace", "path": "displayName", "value": ""}, "invalidValue"),
    ],
)
def test_an_invalid_operation_changes_nothing(scim, people, operation, kind):
    shown = group(scim, people[0])

    answer = scim.patch(f"/Groups/{shown['id']}", {"op": "remove", "path": "members"}, operation)

    assert error(answer) == (400, kind)
    assert members(scim, shown) == [people[0]]


def test_only_users_of_the_organisation_become_members(scim, people):
    """Neither an account elsewhere nor a member who joined by invitation, whether or not there is such an id."""
    other = Scim(a_scim_client(an_organisation(slug="other", name="Other"), domains=["*"]))
    theirs = provisioned(other, **ada(userName="x@other.example", emails=[{"value": "x@other.example"}]))["id"]
    shown = group(scim)

    for user_id in (theirs, str(a_user().id), "4711"):
        operation = {"op": "add", "path": "members", "value": [{"value": user_id}]}
        assert error(scim.patch(f"/Groups/{shown['id']}", operation)) == (400, "invalidValue")
        assert error(scim.put(f"/Groups/{shown['id']}", {"displayName": "x", "members": operation["value"]}))[0] == 400
    assert members(scim, shown) == []


def test_a_group_of_another_organisation_is_not_found(scim, people):
    other = Scim(a_scim_client(an_organisation(slug="other", name="Other"), domains=["*"]))
    shown = group(scim, people[0])

    for path in (f"/Groups/{shown['id']}", "/Groups/4711", f"/Groups/{2**63}", "/Groups/x"):
        assert error(other.get(path)) == (404, None)
        assert error(other.put(path, {"displayName": "Mine"})) == (404, None)
        assert error(other.patch(path, {"op": "remove", "path": "members"})) == (404, None)
        assert error(other.delete(path)) == (404, None)
    assert other.get("/Groups").json()["totalResults"] == 0
    assert members(scim, shown) == [people[0]]


def test_put_replaces_name_and_members_and_the_role_stays(scim, people):
    shown = group(scim, people[0], people[1], externalId="g-1")

    answer = scim.put(f"/Groups/{shown['id']}", {"displayName": "Sales", "members": [{"value": people[2]}]})

    assert answer.status_code == 200 and answer.json()["displayName"] == "Sales"
    assert members(scim, shown) == [people[2]] and "externalId" not in answer.json()
    assert roles_of(people[2]) == ["member", "group/Sales-Marketing"] and roles_of(people[0]) == ["member"]


def test_a_deleted_group_takes_its_role_from_everybody(scim, acme, people):
    shown = group(scim, people[0])
    by_hand = Membership.objects.create(organisation=acme, user=a_user(), roles=["owner", "group/Sales-Marketing"])

    assert scim.delete(f"/Groups/{shown['id']}").status_code == 204

    assert error(scim.get(f"/Groups/{shown['id']}")) == (404, None)
    by_hand.refresh_from_db()
    assert roles_of(people[0]) == ["member"] and by_hand.roles == ["owner"]


def test_an_owner_is_no_member_of_a_group_by_a_role_given_by_hand(scim, acme, people):
    shown = group(scim, people[0])
    Membership.objects.create(organisation=acme, user=a_user(), roles=["owner", "group/Sales-Marketing"])

    assert members(scim, shown) == [people[0]]


def test_a_member_who_was_removed_by_hand_comes_back_by_a_group(scim, acme, people):
    Membership.objects.filter(user_id=people[0]).delete()

    group(scim, people[0])

    assert roles_of(people[0]) == ["member", "group/Sales-Marketing"]


def test_a_member_has_at_most_twenty_roles(scim, people):
    Membership.objects.filter(user_id=people[0]).update(roles=["member", *(f"r{number}" for number in range(19))])

    answer = scim.post("/Groups", {"displayName": "One more", "members": [{"value": people[0]}]})

    assert error(answer) == (409, None)
    assert not ScimGroup.objects.exists()


def test_thousands_of_members_come_in_one_request(scim, people):
    many = [{"value": people[0], "display": "x" * 60}] * 1500  # more than 64 KiB

    shown = group(scim, members=many)

    assert members(scim, shown) == [people[0]]
    assert scim.put(f"/Groups/{shown['id']}", {"displayName": "x", "members": many}).status_code == 200
    assert error(scim.post("/Groups", {"displayName": "y", "members": [{"value": "1"}] * 5001})) == (400, "tooMany")
    assert scim.post("/Groups", {"displayName": "y" * 256 * 1024}).status_code == 413
    assert scim.post("/Users", ada(title="x" * 64 * 1024)).status_code == 413


def test_a_list_of_groups_costs_the_same_for_many(scim, people, django_assert_num_queries):
    group(scim, *people)
    with django_assert_num_queries(5):  # client, rate limit, count, page, members
        scim.get("/Groups")
    for number in range(5):
        group(scim, *people, displayName=f"group {number}")
    with django_assert_num_queries(5):
        assert len(scim.get("/Groups").json()["Resources"]) == 6
    with django_assert_num_queries(6):  # and groups
        scim.get("/Users")
    assert OutboxMessage.objects.exists()
