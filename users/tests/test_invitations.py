"""Invitations: mailed to an address, accepted by who reads its mail, and silent about accounts."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from chassis.outbox.models import OutboxMessage
from chassis.security import encryption
from users.tests.builders import PASSWORD, an_admin, an_organisation, as_json
from users_ms.accounts.models import User
from users_ms.organisations import services
from users_ms.organisations.models import Invitation, Membership

pytestmark = pytest.mark.django_db
PRIVATE_KEY, PUBLIC_KEY = encryption.generate_key_pair()
GRACE = "grace@example.org"
SIGN_UP = {"name": "Grace", "surname": "Hopper", "password": PASSWORD}


@pytest.fixture(autouse=True)
def sealing(settings):
    settings.SEALING_PUBLIC_KEY = PUBLIC_KEY


def named(name, **changes):
    email = f"{name}@example.org"
    fields = {"is_admin": False, "name": name.title(), "email": email, "email_canonical": email, "email_verified": True}
    return an_admin(**fields | changes)


@pytest.fixture
def people():
    return {role: named(role) for role in ("owner", "admin", "member")}


@pytest.fixture
def acme(people):
    return an_organisation(**people)


@pytest.fixture
def calls(caller, people):
    return lambda role: caller(user_id=people[role].id)


def invite(client, acme, email=GRACE, *roles):
    body = {"email": email, "roles": list(roles) or ["member", "billing:read"]}
    return client.post(f"/users-ms/organisations/{acme.id}/invitations", **as_json(body))


def mailed():
    """The last event of an invitation, and its token."""
    message = OutboxMessage.objects.filter(exchange="organisation_invitation_event").order_by("id").last()
    event = message.body["data"]
    token = encryption.decrypt_with_private_key(
        event["sealed_token"], private_key=PRIVATE_KEY, info="organisation_invitation_event"
    )
    return event, token


def token_of(answer):
    assert answer.status_code == 201, answer.content
    return mailed()[1]


def post(client, what, **body):
    return client.post(f"/users-ms/organisations/invitations/{what}", **as_json(body))


def test_an_invitation_is_mailed_and_only_a_hash_of_its_token_is_stored(calls, acme, people):
    answer = invite(calls("admin"), acme)

    event, token = mailed()
    invitation = Invitation.objects.get()
    assert answer.status_code == 201 and set(answer.json()) == {"id", "email", "roles", "created_at", "expires_at"}
    assert (event["email"], event["email_verified"], event["user_id"]) == (GRACE, False, people["admin"].id)
    assert (event["organisation"], "name" in event) == ("Acme", False)
    assert bytes(invitation.token_hash) != token.encode() and len(token) == 43
    assert token not in str(OutboxMessage.objects.get(exchange="organisation_invitation_event").body)
    assert [row["email"] for row in listed(calls("admin"), acme)] == [GRACE]


def listed(client, acme):
    return client.get(f"/users-ms/organisations/{acme.id}/invitations").json()["results"]


@pytest.mark.parametrize("known", [False, True])
def test_the_answer_does_not_say_whether_the_address_has_an_account(calls, acme, known):
    if known:
        named("grace")

    answer = invite(calls("owner"), acme)

    event, _ = mailed()
    assert (answer.status_code, answer.json()["roles"]) == (201, ["member", "billing:read"])
    assert set(event) == {
        "user_id",
        "email",
        "email_verified",
        "locale",
        "time_zone",
        "organisation_id",
        "organisation",
        "sealed_token",
        "expires_at",
    }
    assert post(Client(), "look-up", token=mailed()[1]).json() == {
        "organisation": "Acme",
        "email": GRACE,
        "roles": ["member", "billing:read"],
        "expires_at": answer.json()["expires_at"],
    }


def test_it_is_accepted_with_the_account_of_the_invited_address_once(calls, caller, acme):
    token, grace = token_of(invite(calls("owner"), acme)), named("grace")

    answer = post(caller(user_id=grace.id), "accept", token=token)
    again = post(caller(user_id=grace.id), "accept", token=token)

    assert (answer.status_code, answer.json()["id"], answer.json()["roles"]) == (
        200,
        acme.id,
        ["member", "billing:read"],
    )
    assert again.status_code == 404 and not Invitation.objects.exists()
    event = OutboxMessage.objects.get(exchange="membership_changed_event").body["data"]
    assert (event["change"], event["user_id"], event["actor_id"]) == ("member_added", grace.id, None)


@pytest.mark.parametrize("account", [{"email_verified": False}, {"email": "eve@x.org", "email_canonical": "eve@x.org"}])
def test_another_account_or_an_unverified_address_does_not_accept(calls, caller, acme, account):
    token, user = token_of(invite(calls("owner"), acme)), named("grace", **account)

    answer = post(caller(user_id=user.id), "accept", token=token)

    assert (answer.status_code, answer.json()["title"]) == (403, "Invitation for another address")
    assert Invitation.objects.exists() and Membership.objects.count() == 3


def test_a_new_account_has_the_invited_address_verified_and_joins(calls, acme):
    token = token_of(invite(calls("owner"), acme))

    answer = post(Client(), "sign-up", token=token, **SIGN_UP)

    user = User.objects.get(email=GRACE)
    assert (answer.status_code, answer.json()["email_verified"]) == (201, True)
    assert Membership.objects.get(user=user).roles == ["member", "billing:read"]
    assert OutboxMessage.objects.get(exchange="new_user_event").body["data"]["email_verified"] is True
    assert post(Client(), "sign-up", token=token, **SIGN_UP).status_code == 404


@pytest.mark.parametrize(
    "changes", [{"password": "short"}, {"password": GRACE}, {"name": ""}, {"token": "x" * 65}, {"locale": "??"}]
)
def test_a_bad_sign_up_creates_nothing(calls, acme, changes):
    token = token_of(invite(calls("owner"), acme))

    answer = post(Client(), "sign-up", **{"token": token} | SIGN_UP | changes)

    assert answer.status_code == 400 and list(answer.json()["errors"]) == list(changes)
    assert not User.objects.filter(email=GRACE).exists() and Invitation.objects.exists()


def test_an_address_with_an_account_is_told_to_sign_in_by_the_token_alone(calls, acme):
    token = token_of(invite(calls("owner"), acme))
    named("grace")

    assert post(Client(), "sign-up", token=token, **SIGN_UP).status_code == 409
    assert post(Client(), "sign-up", token="guessed", **SIGN_UP).status_code == 404
    assert Invitation.objects.exists()


@pytest.mark.parametrize("how", ["expired", "withdrawn", "sent again", "invited again"])
def test_a_former_token_is_of_no_use(calls, caller, acme, how):
    answer = invite(calls("owner"), acme)
    token, grace = token_of(answer), named("grace")
    path = answer.headers["Location"]
    if how == "expired":
        Invitation.objects.update(expires_at=timezone.now())
    elif how == "withdrawn":
        assert calls("admin").delete(path).status_code == 204
    elif how == "sent again":
        assert calls("admin").post(f"{path}/mail").status_code == 200
    else:
        assert invite(calls("owner"), acme, GRACE.upper(), "admin").json()["roles"] == ["admin"]

    assert post(caller(user_id=grace.id), "accept", token=token).status_code == 404
    assert post(Client(), "look-up", token=token).status_code == 404
    assert Invitation.objects.count() == (how != "withdrawn")
    if how in ("sent again", "invited again"):
        assert post(caller(user_id=grace.id), "accept", token=mailed()[1]).status_code == 200


def test_nobody_invites_to_a_role_above_their_own_or_changes_such_an_invitation(calls, acme):
    assert invite(calls("admin"), acme, GRACE, "owner").status_code == 403
    path = invite(calls("owner"), acme, GRACE, "owner").headers["Location"]

    assert invite(calls("admin"), acme, GRACE, "member").status_code == 403
    assert calls("admin").post(f"{path}/mail").status_code == 403
    assert calls("admin").delete(path).status_code == 403
    assert Invitation.objects.get().roles == ["owner"]


def test_members_invite_nobody_and_a_member_is_not_invited(calls, acme):
    assert invite(calls("member"), acme).status_code == 403
    assert calls("member").get(f"/users-ms/organisations/{acme.id}/invitations").status_code == 403
    assert invite(calls("owner"), acme, "Member@example.org").status_code == 409
    assert not OutboxMessage.objects.exists()


@pytest.mark.parametrize("how", ["removed", "demoted", "deleted"])
def test_what_a_former_manager_has_sent_is_withdrawn(calls, acme, people, how):
    token = token_of(invite(calls("admin"), acme))
    of_owner = token_of(invite(calls("owner"), acme, "second@example.org"))
    path = f"/users-ms/organisations/{acme.id}/members/{people['admin'].id}"
    if how == "removed":
        assert calls("owner").delete(path).status_code == 204
    elif how == "demoted":
        assert calls("owner").put(path, **as_json({"roles": ["member"]})).status_code == 200
    else:
        people["admin"].delete()

    assert post(Client(), "look-up", token=token).status_code == 404
    assert post(Client(), "look-up", token=of_owner).status_code == 200


def test_a_recipient_gets_few_mails_whoever_invites(calls, caller, acme):
    other = an_organisation(slug="other", owner=named("second"))
    statuses = [invite(calls("owner"), acme).status_code for _ in range(5)]

    answer = invite(caller(user_id=other.memberships.get().user_id), other, "GRACE@example.org")

    assert statuses == [201] * 5 and answer.status_code == 429 and int(answer.headers["Retry-After"]) > 0


def test_a_member_who_accepts_keeps_its_roles(calls, caller, admin, acme):
    token, grace = token_of(invite(calls("owner"), acme)), named("grace")
    admin.put(f"/users-ms/organisations/{acme.id}/members/{grace.id}", **as_json({"roles": ["admin"]}))

    assert post(caller(user_id=grace.id), "accept", token=token).json()["roles"] == ["admin"]
    assert Membership.objects.get(user=grace).roles == ["admin"]


def test_invitations_to_a_deleted_user_and_expired_ones_are_deleted(calls, acme):
    invite(calls("owner"), acme)
    named("grace").delete()
    assert not Invitation.objects.exists()

    invite(calls("owner"), acme, "second@example.org")
    services.prune(at=timezone.now() + timedelta(days=13))
    assert Invitation.objects.exists()
    services.prune(at=timezone.now() + timedelta(days=15))
    assert not Invitation.objects.exists()


@pytest.mark.parametrize(("policy", "status"), [("open", 201), ("invitation", 201), ("domain", 403), ("off", 403)])
def test_who_is_invited_signs_up_as_far_as_the_installation_allows(calls, acme, settings, policy, status):
    settings.SIGN_UP, settings.SIGN_UP_DOMAINS = policy, {"example.net"}
    token = token_of(invite(calls("owner"), acme))

    assert post(Client(), "sign-up", token=token, **SIGN_UP).status_code == status
    assert User.objects.filter(email=GRACE).exists() == (status == 201)


def changes():
    """What the audit log is told of invitations, in order."""
    messages = OutboxMessage.objects.filter(exchange="invitation_changed_event").order_by("id")
    return [message.body["data"] for message in messages]


def test_what_becomes_of_an_invitation_is_published_with_its_actor_and_without_the_address(calls, caller, acme, people):
    path = invite(calls("admin"), acme).headers["Location"]
    calls("owner").post(f"{path}/mail")
    calls("owner").delete(path)
    token, grace = token_of(invite(calls("owner"), acme)), named("grace")
    post(caller(user_id=grace.id), "accept", token=token)

    told = changes()
    admin, owner = people["admin"].id, people["owner"].id
    assert [(each["change"], each["actor_id"], each["user_id"]) for each in told] == [
        ("sent", admin, None),
        ("sent", owner, None),
        ("revoked", owner, None),
        ("sent", owner, None),
        ("accepted", None, grace.id),
    ]
    for each in told:
        assert (each["email"], each["roles"]) == ("g***@example.org", ["member", "billing:read"])
        assert (each["organisation_id"], each["slug"], each["address"]) == (acme.id, "acme", "127.0.0.1")
    assert GRACE not in str(told) and token not in str(told)


@pytest.mark.parametrize("how", ["removed", "demoted"])
def test_an_invitation_that_goes_with_its_senders_rights_is_published_as_revoked(calls, acme, people, how):
    invite(calls("admin"), acme)
    path = f"/users-ms/organisations/{acme.id}/members/{people['admin'].id}"
    if how == "removed":
        calls("owner").delete(path)
    else:
        calls("owner").put(path, **as_json({"roles": ["member"]}))

    _, revoked = changes()
    assert (revoked["change"], revoked["actor_id"]) == ("revoked", people["owner"].id)


def test_an_invitation_that_nobody_used_is_published_as_expired_once(calls, acme):
    invite(calls("owner"), acme)
    expires_at = Invitation.objects.get().expires_at

    services.prune(at=expires_at + timedelta(days=6))
    assert [each["change"] for each in changes()] == ["sent"]  # it can still be sent again
    for _ in range(2):
        services.prune(at=expires_at + timedelta(days=8))

    _, expired = changes()
    assert (expired["change"], expired["changed_at"]) == ("expired", expires_at.isoformat())
    assert (expired["actor_id"], expired["user_id"], expired["address"]) == (None, None, None)


def test_a_refused_change_of_an_invitation_publishes_nothing(calls, acme):
    path = invite(calls("owner"), acme, GRACE, "owner").headers["Location"]

    assert calls("admin").delete(path).status_code == calls("member").delete(path).status_code == 403
    assert post(Client(), "sign-up", token="guessed", **SIGN_UP).status_code == 404
    assert [each["change"] for each in changes()] == ["sent"]


def test_an_account_that_an_invitation_creates_says_where_it_came_from(calls, acme):
    token = token_of(invite(calls("owner"), acme))

    post(Client(HTTP_USER_AGENT="Firefox"), "sign-up", token=token, **SIGN_UP)

    event = OutboxMessage.objects.get(exchange="new_user_event").body["data"]
    assert (event["actor_id"], event["address"], event["user_agent"]) == (None, "127.0.0.1", "Firefox")
    assert [each["change"] for each in changes()] == ["sent", "accepted"]
