"""Personal access tokens: made, used, limited, and without effect once anything that they rest on ends."""

import json
import logging
import re
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from auth.tests import actions, oauth
from auth.tests.actions import account_changed, event, signed_in
from auth.tests.builders import PASSWORD, as_json, mailed_token
from auth_ms.accounts import tasks
from auth_ms.models import AuditEvent, PersonalToken
from chassis.outbox.models import OutboxMessage
from chassis.security import personal_tokens
from chassis.testing import authorization

pytestmark = pytest.mark.django_db
PATH = "/auth-ms/auth/personal-tokens"
# What a token with every scope may do; every other operation refuses it.
ADMITTED = {"list_sessions", "list_activity", "list_audit_events"}
# What does not look at the token as a user's, and so answers as without it.
WITHOUT_A_USER = {
    "healthcheck": 200,
    "ready": 200,
    "get_keys": 200,
    "get_openid_configuration": 200,
    "get_authorization_server_metadata": 200,
    "list_offered_providers": 200,
    "begin_passkey_login": 200,
    "get_live_personal_token": 200,
    "get_live_personal_principal": 200,
    "get_live_client": 401,
    "oauth_userinfo": 401,
    "oauth_userinfo_by_post": 401,
    "oauth_register": 401,
    "oauth_get_registration": 401,
    "oauth_change_registration": 401,
    "oauth_delete_registration": 401,
} | dict.fromkeys(
    [
        "oauth_token",
        "oauth_push_authorization_request",
        "oauth_authorize_device",
        "oauth_introspect",
        "oauth_revoke",
        "login",
        "complete_login",
        "begin_email_login",
        "login_with_email_code",
        "begin_enrolment",
        "complete_enrolment",
        "login_with_passkey",
        "refresh",
        "forgot_password",
        "reset_password",
        "verify_email",
        "undo_email_change",
    ],
    400,
)


def make(client, *scopes, **changes):
    body = {"name": "nightly report", "scopes": list(scopes or ["read"]), "expires_in_days": 30} | changes
    return client.post(PATH, **as_json(body))


def token_of(client, *scopes, **changes):
    answer = make(client, *scopes, **changes)
    assert answer.status_code == 201, answer.content
    return answer.json()["token"]


def machine(token):
    return Client(headers={"Authorization": f"Bearer {token}"})


def status(token, path="/auth-ms/auth/sessions"):
    return machine(token).get(path).status_code


def test_a_token_is_shown_once_and_stored_as_a_hash(ada_client):
    made = make(ada_client).json()

    [listed] = ada_client.get(PATH).json()["results"]
    assert re.fullmatch(r"tsr_pat_[0-9A-Za-z]{49}", made["token"])
    assert listed == {name: value for name, value in made.items() if name != "token"}
    assert made["token"] not in repr(list(PersonalToken.objects.values())) + repr(list(OutboxMessage.objects.values()))
    assert made["token"] not in repr(list(AuditEvent.objects.values()))


def test_a_token_opens_the_api_directly_and_its_use_is_noted_once_a_minute(ada_client):
    token = token_of(ada_client)

    answer = machine(token).get("/auth-ms/auth/sessions")

    assert [each["current"] for each in answer.json()["results"]] == [False]
    first = PersonalToken.objects.get().last_used_at
    assert first is not None
    assert status(token) == 200
    assert PersonalToken.objects.get().last_used_at == first
    PersonalToken.objects.update(last_used_at=first - timedelta(minutes=2))
    assert status(token) == 200
    assert PersonalToken.objects.get().last_used_at >= first


@pytest.mark.parametrize("operation", sorted(authorization.operations("auth-ms")))
def test_a_token_with_every_scope_opens_only_what_names_it(admin_client, settings, operation):
    settings.CLIENT_REGISTRATION, settings.EMAIL_SIGN_IN = "token", "sign_in"
    token = token_of(admin_client, "read", "write", "admin")
    called = authorization.operations("auth-ms")[operation]
    ids = {"session_id": 1, "passkey_id": 1, "user_id": 1, "client_id": "none", "delivery_id": 1, "slug": "none"}

    answer = authorization.call(machine(token), called, **ids, identity_id=1, token_id=PersonalToken.objects.get().id)

    expected = 200 if operation in ADMITTED else WITHOUT_A_USER.get(operation, 403)
    assert answer.status_code == expected, answer.content
    if expected == 403:
        assert answer.json()["code"] == "personal_token_not_accepted"
    assert PersonalToken.objects.exists()


def test_a_missing_scope_is_named(ada_client):
    answer = machine(token_of(ada_client, "write")).get("/auth-ms/auth/sessions")

    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
    assert 'scope="read"' in answer["WWW-Authenticate"]


def test_the_rights_of_an_admin_need_the_scope_and_the_right_now(admin_client, users_service):
    plain, full = token_of(admin_client, "read"), token_of(admin_client, "read", "admin")
    log = "/auth-ms/auth/audit-log"

    assert (status(plain, log), status(full, log)) == (403, 200)
    users_service.find(email="root@example.org")["is_admin"] = False
    assert (status(full, log), status(full)) == (403, 200)


def test_only_an_admin_gives_the_scope_admin(ada_client):
    answer = make(ada_client, "read", "admin")

    assert answer.status_code == 400
    assert "admin" in answer.json()["errors"]["scopes"][0]


@pytest.mark.parametrize(
    "changes",
    [
        {"scopes": []},
        {"scopes": ["no such scope"]},
        {"scopes": ["service"]},
        {"scopes": "read"},
        {"name": ""},
        {"name": "a\u0007"},
        {"expires_in_days": None},
        {"expires_in_days": 0},
        {"expires_in_days": 366},
        {"resource": "no URI"},
        {"resource": "https://[::1"},
        {"resource": "https://api.example.org/#part"},
        {"resource": "https://api.example.org/a b"},
        {"resource": "https://ada@api.example.org"},
        {"resource": "https://api.example.org/../other"},
        {"resource": "ftp://api.example.org"},
    ],
)
def test_what_is_not_valid_is_rejected(ada_client, changes):
    assert make(ada_client, **changes).status_code == 400
    assert not PersonalToken.objects.exists()


def test_making_one_needs_a_recent_sign_in_and_a_verified_address(ada, ada_client, settings):
    ada["email_verified"] = False
    assert make(ada_client).json()["code"] == "email_not_verified"
    ada["email_verified"], settings.PRIVILEGED_SESSION_SECONDS = True, -1
    assert make(ada_client).json()["code"] == "sign_in_again"


def test_a_user_has_no_more_than_the_setting_allows(ada_client, settings):
    settings.PERSONAL_TOKENS_PER_USER = 1
    token_of(ada_client)

    assert (make(ada_client).status_code, PersonalToken.objects.count()) == (409, 1)


def test_the_owner_revokes_a_token_and_is_notified_of_both(ada_client):
    token = token_of(ada_client)
    made = PersonalToken.objects.get()

    assert ada_client.delete(f"{PATH}/{made.id}").status_code == 204

    assert status(token) == 401
    assert ada_client.get(PATH).json()["results"] == []
    notices = OutboxMessage.objects.filter(exchange="sign_in_changed_event").order_by("id")
    assert [each.body["data"]["change"] for each in notices] == ["personal_token_created", "personal_token_revoked"]
    logged = AuditEvent.objects.filter(event__startswith="personal_token").order_by("id")
    assert [(each.event, each.details["token_id"], each.user_id, each.actor_id) for each in logged] == [
        ("personal_token_created", made.id, 7, None),
        ("personal_token_revoked", made.id, 7, None),
    ]


def test_an_admin_sees_and_revokes_the_tokens_of_a_user_and_nobody_else_does(ada_client, admin_client, users_service):
    token = token_of(ada_client)
    path, eve = f"{PATH}/{PersonalToken.objects.get().id}", signed_in(users_service.add(id=8, email="eve@example.org"))

    assert eve.get(PATH, {"user_id": 7}).status_code == 403
    assert eve.delete(path).status_code == 404
    assert [each["name"] for each in admin_client.get(PATH, {"user_id": 7}).json()["results"]] == ["nightly report"]
    assert status(token) == 200
    assert admin_client.delete(path).status_code == 204
    assert status(token) == 401
    notice = OutboxMessage.objects.filter(exchange="sign_in_changed_event").latest("id").body["data"]
    assert (notice["user_id"], notice["address"], notice["user_agent"]) == (7, None, "")
    assert AuditEvent.objects.get(event="personal_token_revoked").actor_id == 1


def test_a_token_ends_by_its_time_and_by_a_shorter_maximum(ada_client, settings):
    token = token_of(ada_client)
    PersonalToken.objects.update(created_at=timezone.now() - timedelta(days=10))
    assert status(token) == 200

    settings.PERSONAL_TOKEN_MAXIMUM_DAYS = 9
    assert status(token) == 401
    settings.PERSONAL_TOKEN_MAXIMUM_DAYS = 365
    PersonalToken.objects.update(expires_at=timezone.now())
    assert status(token) == 401


@pytest.mark.parametrize("change", [{"is_active": False}, {"id": 70}])
def test_a_token_has_no_effect_once_the_account_is_inactive_or_gone(ada, ada_client, change):
    token = token_of(ada_client)
    assert status(token) == 200

    ada.update(change)

    assert status(token) == 401


def deactivate(ada):
    tasks.apply_account_change(event=account_changed("deactivated", is_active=False))


def delete_account(ada):
    ada["id"] = 70
    tasks.delete_data_of_deleted_user(event=event("user_deleted_event", user_id=7))


def reset_password(ada):
    actions.forgot(Client())
    assert actions.reset(Client(), mailed_token()).status_code == 204


def reset_elsewhere(ada):
    changed = {"user_id": 7, **actions.CONTACT, "change_id": str(uuid.uuid4()), "reason": "administrator"}
    changed |= {"changed_at": timezone.now().isoformat(), "kept_session_id": None, "first_proof": False}
    tasks.apply_password_change(event=event("password_changed_event", **changed, address=None, user_agent=""))


def undo_email_change(ada):
    tasks.apply_account_change(event=account_changed("email_change_undone", new_email="ada@example.org"))


@pytest.mark.parametrize("end", [deactivate, delete_account, reset_password, reset_elsewhere, undo_email_change])
def test_tokens_are_deleted_when_access_to_the_account_is_taken_back(ada, ada_client, end):
    token_of(ada_client)

    end(ada)

    assert not PersonalToken.objects.exists()


def test_tokens_survive_what_their_owner_does_every_day(ada, ada_client):
    token = token_of(ada_client)
    change = {"current_password": PASSWORD, "new_password": actions.NEW}

    assert ada_client.post("/auth-ms/auth/password/change", **as_json(change)).status_code == 204
    assert status(token) == 200
    assert ada_client.post("/auth-ms/auth/logout-all").status_code == 204
    assert status(token) == 200


def test_a_token_is_limited_by_its_own_rate(ada_client, settings):
    settings.PERSONAL_TOKEN_REQUESTS_PER_MINUTE = 1
    one, other = token_of(ada_client), token_of(ada_client)
    assert status(one) == 200

    refused = machine(one).get("/auth-ms/auth/sessions")

    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert int(refused["Retry-After"]) >= 1
    assert refused["RateLimit-Policy"] == '"personal_token";q=1;w=60'
    assert refused["RateLimit"] == f'"personal_token";r=0;t={refused["Retry-After"]}'
    assert status(other) == 200


def test_what_cannot_be_a_token_is_refused_without_a_look_up(ada_client):
    token = token_of(ada_client)
    changed = token[:-1] + ("a" if token[-1] != "a" else "b")

    with CaptureQueriesContext(connection) as statements:
        answers = [status(each) for each in (changed, token + "0", "tsr_pat_", f"{token[:20]}é")]

    assert answers == [401, 401, 401, 401]
    assert len(statements) == 0
    assert status(personal_tokens.make()) == 401  # well formed, and nobody's


def test_services_are_told_the_token_and_its_rights_now(admin_client, users_service):
    token = token_of(admin_client, "read", "admin")

    facts = machine(token).get("/auth-ms/internal/personal-token")
    principal = machine(token).get("/auth-ms/internal/personal-principal")
    assert facts.json() == {"user_id": 1, "scopes": ["read", "admin"]}
    assert principal.json() == {"user_id": 1, "scopes": ["admin", "read"], "is_admin": True}

    users_service.find(email="root@example.org")["is_active"] = False
    assert status(token, "/auth-ms/internal/personal-principal") == 401


def test_a_token_for_another_resource_is_introspected_by_its_client_and_opens_nothing_here(ada, ada_client, app):
    ada["scopes"] = ["orders:read", "orders:write"]
    token = token_of(ada_client, "orders:read", "orders:write", resource=oauth.API)
    other = oauth.register(resources=["https://api.invoices.example.org"])

    answer = app.post("introspect", token=token)

    told = answer.json()
    assert "RateLimit" not in answer  # the API asks, and the limit is that of who has the token
    assert (told["active"], told["sub"], told["aud"]) == (True, "7", oauth.API)
    assert told["scope"] == "orders:read orders:write"
    assert other.post("introspect", token=token).json() == {"active": False}
    assert app.post("introspect", token=token_of(ada_client, "read")).json() == {"active": False}
    assert status(token) == 401
    ada["scopes"] = ["orders:read"]
    assert app.post("introspect", token=token).json()["scope"] == "orders:read"
    ada["is_active"] = False
    assert app.post("introspect", token=token).json() == {"active": False}


def test_a_resource_is_what_a_client_may_have_too(ada, ada_client):
    ada["scopes"], orders = ["orders:read"], "urn:example:orders"
    client = oauth.register(resources=[orders])

    told = client.post("introspect", token=token_of(ada_client, "orders:read", resource=orders)).json()

    assert (told["active"], told["aud"]) == (True, orders)


def test_a_token_for_another_resource_has_only_rights_of_its_user(ada, ada_client):
    ada["scopes"] = ["orders:read"]

    assert make(ada_client, "orders:write", resource=oauth.API).status_code == 400
    assert make(ada_client, "read", resource=oauth.API).status_code == 400
    assert make(ada_client, "orders:read").status_code == 400


def test_the_export_has_the_tokens_without_their_texts(ada_client):
    token = token_of(ada_client)

    exported = ada_client.get("/auth-ms/auth/export")

    assert [each["name"] for each in exported.json()["personal_tokens"]] == ["nightly report"]
    assert token not in exported.content.decode()


def test_no_log_has_a_token(ada_client, caplog):
    with caplog.at_level(logging.DEBUG):
        token = token_of(ada_client)
        machine(token).get("/auth-ms/auth/sessions")
        machine(token).post("/auth-ms/auth/logout")
        machine(token[:-1] + "_").get("/auth-ms/auth/sessions")

    assert token[8:40] not in json.dumps([str(vars(record)) for record in caplog.records])
