"""Organisations and their members: who may do what, at this moment."""

import pytest

from chassis.outbox.models import OutboxMessage
from users.tests.builders import a_user, an_admin, an_organisation, as_json
from users_ms.organisations.models import Membership, Organisation

pytestmark = pytest.mark.django_db
RANKS = {"member": 1, "admin": 2, "owner": 3}


def named(name):
    email = f"{name}@example.org"
    return an_admin(is_admin=False, name=name.title(), email=email, email_canonical=email)


@pytest.fixture
def people():
    """One user for each role, and one who is not a member."""
    return {role: named(role) for role in (*RANKS, "stranger")}


@pytest.fixture
def acme(people):
    return an_organisation(**{role: people[role] for role in RANKS})


@pytest.fixture
def calls(caller, people):
    """`calls("owner")`: an HTTP client of that person."""
    return lambda role: caller(user_id=people[role].id)


def path(acme, *parts):
    return "/".join(["/users-ms/organisations", str(acme.id), *map(str, parts)])


def member(acme, user):
    return path(acme, "members", user.id)


def roles_of(user):
    return Membership.objects.values_list("roles", flat=True).filter(user_id=user.id).first()


def published(exchange):
    return [row.body["data"] for row in OutboxMessage.objects.filter(exchange=exchange).order_by("id")]


def put_roles(client, acme, user, *roles):
    return client.put(member(acme, user), **as_json({"roles": list(roles)}))


def test_an_admin_creates_an_organisation_with_its_first_owner(admin):
    ada = a_user()

    answer = admin.post(
        "/users-ms/organisations",
        headers={"User-Agent": "Firefox"},
        **as_json({"name": "Acme Corporation", "slug": "acme", "owner_id": ada.id}),
    )

    acme = Organisation.objects.get()
    assert answer.status_code == 201 and answer.headers["Location"] == path(acme)
    assert (answer.json()["name"], answer.json()["slug"], answer.json()["roles"]) == ("Acme Corporation", "acme", None)
    assert roles_of(ada) == ["owner"]
    [created], [added] = published("organisation_changed_event"), published("membership_changed_event")
    assert (created["change"], created["slug"], created["user_agent"]) == ("created", "acme", "Firefox")
    assert (added["change"], added["user_id"], added["roles"]) == ("member_added", ada.id, ["owner"])
    assert added["actor_id"] == created["actor_id"] != ada.id


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"slug": "7"}, "slug"),
        ({"slug": "Acme"}, "slug"),
        ({"slug": "acme-"}, "slug"),
        ({"slug": "a" * 64}, "slug"),
        ({"name": "a\nb"}, "name"),
        ({"name": ""}, "name"),
        ({"owner_id": 4711}, "owner_id"),
        ({"owner_id": 2**63}, "owner_id"),
    ],
)
def test_an_invalid_organisation_is_rejected(admin, changes, field):
    given = {"name": "Acme", "slug": "acme", "owner_id": a_user().id} | changes

    answer = admin.post("/users-ms/organisations", **as_json(given))

    assert answer.status_code == 400 and list(answer.json()["errors"]) == [field]
    assert not Organisation.objects.exists() and not published("organisation_changed_event")


def test_a_slug_belongs_to_one_organisation(admin, acme, people):
    given = {"name": "Another", "slug": acme.slug, "owner_id": people["owner"].id}

    assert admin.post("/users-ms/organisations", **as_json(given)).status_code == 409
    assert Organisation.objects.count() == 1


def test_everyone_lists_their_own_organisations_and_an_admin_all(admin, calls, acme, people):
    other = an_organisation(slug="other", name="Other", owner=people["stranger"])

    def listed(client, query=""):
        answer = client.get(f"/users-ms/organisations?{query}")
        return [(row["id"], row["roles"]) for row in answer.json()["results"]]

    assert listed(calls("member")) == [(acme.id, ["member"])]
    assert listed(calls("stranger")) == [(other.id, ["owner"])]
    assert listed(admin) == [(acme.id, None), (other.id, None)]
    assert listed(admin, "search=OTH") == [(other.id, None)]
    assert listed(calls("member"), "search=oth") == []


def test_a_former_admin_of_the_installation_sees_only_its_own(caller, acme):
    root = an_admin(is_admin=False)

    client = caller(user_id=root.id, admin=True)

    assert client.get("/users-ms/organisations").json()["results"] == []
    assert client.get(path(acme, "members")).status_code == 404


def test_only_owners_rename_and_delete(calls, acme):
    assert calls("admin").patch(path(acme), **as_json({"name": "New"})).status_code == 403
    assert calls("owner").patch(path(acme), **as_json({"name": "New"})).json()["name"] == "New"
    assert calls("admin").delete(path(acme)).status_code == 403
    assert calls("owner").delete(path(acme)).status_code == 204

    assert not Organisation.objects.exists() and not Membership.objects.exists()
    assert [(event["change"], event["organisation"]) for event in published("organisation_changed_event")] == [
        ("updated", "New"),
        ("deleted", "New"),
    ]


def test_an_owner_deletes_only_in_a_session_that_has_just_begun(calls, acme, settings):
    settings.PRIVILEGED_SESSION_SECONDS = -1

    assert calls("owner").delete(path(acme)).json()["title"] == "Sign in again"
    assert Organisation.objects.exists()


def test_managers_see_name_and_address_of_members_and_nothing_else(calls, acme):
    rows = calls("admin").get(path(acme, "members")).json()["results"]

    assert [row["email"] for row in rows] == [f"{role}@example.org" for role in RANKS]
    assert set(rows[0]) == {"user_id", "name", "surname", "email", "roles", "created_at"}


@pytest.mark.parametrize("by", RANKS)
@pytest.mark.parametrize("of", RANKS)
@pytest.mark.parametrize("to", RANKS)
def test_nobody_changes_a_higher_rank_or_gives_a_role_above_their_own(calls, acme, people, by, of, to):
    Membership.objects.create(organisation=acme, user=named("second"), roles=["owner"])
    may = RANKS[by] >= RANKS["admin"] and RANKS[by] >= max(RANKS[of], RANKS[to])

    answer = put_roles(calls(by), acme, people[of], to, "billing:read")

    assert answer.status_code == (200 if may else 403)
    assert roles_of(people[of]) == ([to, "billing:read"] if may else [of])
    assert len(published("membership_changed_event")) == may


@pytest.mark.parametrize("by", RANKS)
@pytest.mark.parametrize("of", RANKS)
def test_nobody_removes_a_higher_rank(calls, acme, people, by, of):
    Membership.objects.create(organisation=acme, user=named("second"), roles=["owner"])
    may = by == of or (RANKS[by] >= RANKS["admin"] and RANKS[by] >= RANKS[of])

    answer = calls(by).delete(member(acme, people[of]))

    assert answer.status_code == (204 if may else 403)
    assert (roles_of(people[of]) is None) == may


def test_an_organisation_keeps_an_owner(calls, admin, acme, people):
    owner = people["owner"]

    assert put_roles(calls("owner"), acme, owner, "admin").status_code == 409
    assert calls("owner").delete(member(acme, owner)).status_code == 409
    assert admin.delete(member(acme, owner)).json()["title"] == "Last owner"
    assert roles_of(owner) == ["owner"] and not published("membership_changed_event")

    assert put_roles(calls("owner"), acme, people["member"], "owner").status_code == 200
    assert calls("owner").delete(member(acme, owner)).status_code == 204


def test_a_removal_takes_effect_at_once(calls, acme, people):
    former = calls("admin")
    assert calls("owner").delete(member(acme, people["admin"])).status_code == 204

    assert former.get(path(acme)).status_code == 404
    assert former.get(path(acme, "members")).status_code == 404
    assert put_roles(former, acme, people["member"], "admin").status_code == 404
    assert former.delete(member(acme, people["member"])).status_code == 404
    [removed] = published("membership_changed_event")
    assert (removed["change"], removed["email"], removed["roles"]) == ("member_removed", "admin@example.org", [])
    assert removed["actor_id"] == people["owner"].id


def test_only_an_admin_of_the_installation_adds_a_user_without_an_invitation(calls, admin, acme, people):
    stranger = people["stranger"]

    assert put_roles(calls("owner"), acme, stranger, "member").status_code == 404
    assert roles_of(stranger) is None
    assert put_roles(admin, acme, stranger, "member").status_code == 200
    assert roles_of(stranger) == ["member"]


@pytest.mark.parametrize(
    "roles",
    [
        [],
        ["billing:read"],
        ["owner", "admin"],
        ["member", "a b"],
        ["member", "ü"],
        ["member", "x" * 65],
        ["member", *(f"role{number}" for number in range(20))],
        "member",
        [7],
        None,
    ],
)
def test_roles_have_one_of_the_three_and_a_pattern(calls, acme, people, roles):
    answer = calls("owner").put(member(acme, people["member"]), **as_json({"roles": roles}))

    assert answer.status_code == 400 and list(answer.json()["errors"]) == ["roles"]
    assert roles_of(people["member"]) == ["member"]


def test_the_members_of_one_organisation_are_nothing_to_another(calls, acme, people):
    other = an_organisation(slug="other", owner=people["stranger"])

    assert calls("owner").get(path(other)).status_code == 404
    assert calls("owner").patch(path(other), **as_json({"name": "New"})).status_code == 404
    assert calls("owner").delete(path(other)).status_code == 404
    assert calls("owner").get(path(other, "members")).status_code == 404
    assert put_roles(calls("owner"), other, people["stranger"], "member").status_code == 404
    assert calls("owner").delete(member(other, people["stranger"])).status_code == 404


def test_a_deleted_user_leaves_and_an_admin_names_the_next_owner(caller, admin, acme, people):
    owner = people["owner"]

    assert caller(user_id=owner.id).delete(f"/users-ms/users/{owner.id}").status_code == 204

    assert sorted(Membership.objects.values_list("user_id", flat=True)) == [people["member"].id, people["admin"].id]
    [found] = admin.get("/users-ms/organisations?ownerless=true").json()["results"]
    assert found["id"] == acme.id
    assert put_roles(admin, acme, people["admin"], "owner").status_code == 200
    assert admin.get("/users-ms/organisations?ownerless=true").json()["results"] == []


@pytest.mark.parametrize(("organisation", "count"), [("", 2), ("acme", 1), ("{id}", 1), ("none", 0), ("9" * 63, 0)])
def test_auth_ms_asks_for_the_memberships_of_a_user(auth_ms, acme, people, organisation, count):
    an_organisation(slug="other", owner=people["member"])

    answer = auth_ms.get(
        f"/users-ms/internal/users/{people['member'].id}/memberships",
        {"organisation": organisation.format(id=acme.id)} if organisation else {},
    )

    found = answer.json()["memberships"]
    assert len(found) == count
    assert found[:1] in ([], [{"organisation_id": acme.id, "slug": "acme", "name": "Acme", "roles": ["member"]}])
