"""An admin acts as a user: who may, what that opens, what it never opens, and what ends it."""

from datetime import timedelta

import jwt
import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from auth.tests import oauth
from auth.tests.actions import account_changed, signed_in
from auth.tests.builders import as_json, bearer, recorded
from auth_ms.accounts import tasks
from auth_ms.models import AuditEvent, Consent, Grant, Session
from chassis.testing import authorization

pytestmark = pytest.mark.django_db
PATH = "/auth-ms/auth/impersonations"
HALF_AN_HOUR = 1800


@pytest.fixture(autouse=True)
def half_an_hour(settings):
    settings.IMPERSONATION_SECONDS = HALF_AN_HOUR


@pytest.fixture
def app(db):
    """An application of the installation itself, which needs no consent."""
    registered = oauth.register(scopes=["openid", "email", "offline_access"])
    registered.change(first_party=True)
    return registered


@pytest.fixture
def root(users_service):
    """An admin in users-ms; changing this dictionary changes it there."""
    return users_service.add(id=1, email="root@example.org", is_admin=True)


@pytest.fixture
def support(root, db):
    """An HTTP client signed in as that admin."""
    return signed_in(root)


def impersonate(client, **changes):
    return client.post(PATH, **as_json({"user_id": 7, "reason": "ticket 4711"} | changes))


def acting(support):
    answer = impersonate(support)
    assert answer.status_code == 200, answer.content
    return answer.json()


def client_of(tokens):
    return Client(headers=bearer(tokens))


def claims(token):
    return jwt.decode(token, options={"verify_signature": False})


def refresh(tokens):
    return Client().post("/auth-ms/auth/refresh", **as_json({"refresh_token": tokens["refresh_token"]}))


def is_live(tokens):
    return client_of(tokens).get("/auth-ms/auth/sessions").status_code == 200


def act_in(browser, support):
    """Let the admin act as Ada in a browser, as the console begins it."""
    headers = {"Token-Delivery": "cookie", "Origin": "http://testserver", "Host": "testserver"}
    body = as_json({"user_id": 7, "reason": "ticket 4711"})
    answer = browser.post(PATH, **body, headers=headers | {"Authorization": support.defaults["HTTP_AUTHORIZATION"]})
    assert (answer.status_code, answer.json()["refresh_token"]) == (200, "")
    return browser


@pytest.fixture
def acting_browser(ada, support):
    return act_in(Client(), support)


def test_an_admin_acts_as_a_user_and_the_token_says_so(ada, support):
    token = claims(acting(support)["access_token"])

    assert (token["sub"], token["act"]) == ("7", {"sub": "1"})
    assert not {"auth_time", "amr", "acr"} & set(token)
    [listed] = support.get(PATH).json()["results"]
    assert (listed["user_id"], listed["actor_id"]) == (7, 1)
    assert support.get(PATH, {"user_id": 8}).json()["results"] == []


def test_it_is_in_the_audit_log_with_its_reason_and_the_user_sees_it_without_the_admins_device(
    ada, ada_client, support
):
    acting(support)

    event = AuditEvent.objects.get(event="impersonation_started")
    assert (event.user_id, event.actor_id, event.details) == (7, 1, {"reason": "ticket 4711"})
    first, _ = ada_client.get("/auth-ms/auth/sessions").json()["results"]
    assert (first["impersonated"], first["address"], first["user_agent"]) == (True, None, "")
    seen = ada_client.get("/auth-ms/auth/activity").json()["results"][0]
    assert (seen["event"], seen["address"], seen["user_agent"]) == ("impersonation_started", None, "")


@pytest.mark.parametrize("told", [True, False])
def test_the_user_is_told_by_setting_and_never_of_a_sign_in(ada, support, settings, told):
    settings.IMPERSONATION_NOTICE = told
    logins = len(recorded("user_login_event"))

    acting(support)

    notices = recorded("sign_in_changed_event")
    assert [(each["change"], each["address"], each["email"]) for each in notices] == (
        [("impersonation_started", None, "ada@example.org")] if told else []
    )
    assert len(recorded("user_login_event")) == logins


def test_it_is_off_unless_set(ada, support, settings):
    settings.IMPERSONATION_SECONDS = 0

    assert impersonate(support).json()["code"] == "impersonation_off"
    assert support.get(PATH).json()["code"] == "impersonation_off"


def test_only_an_admin_who_has_just_signed_in_may(ada, ada_client, support, root, settings):
    assert impersonate(ada_client, user_id=1).status_code == 403
    settings.PRIVILEGED_SESSION_SECONDS = -1
    assert impersonate(support).json()["code"] == "sign_in_again"
    settings.PRIVILEGED_SESSION_SECONDS, root["is_admin"] = 600, False
    assert impersonate(support).status_code == 403
    assert not Session.objects.filter(actor_id=1).exists()


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"user_id": 1}, 409, "may_not_be_impersonated"),  # oneself
        ({"user_id": 2}, 409, "may_not_be_impersonated"),  # another admin
        ({"user_id": 3}, 409, "may_not_be_impersonated"),  # not active
        ({"user_id": 4}, 404, "user_not_found"),
        ({"reason": ""}, 400, "invalid_input"),
        ({"reason": "a\nb"}, 400, "invalid_input"),
        ({"minutes": 600}, 400, "invalid_input"),
    ],
)
def test_nobody_acts_as_these_nor_without_a_reason(ada, support, users_service, changes, status, code):
    users_service.add(id=2, email="other@example.org", is_admin=True)
    users_service.add(id=3, email="gone@example.org", is_active=False)

    answer = impersonate(support, **changes)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not Session.objects.filter(actor_id=1).exists()


def test_attempts_are_limited(ada, support):
    answers = [impersonate(support).status_code for _ in range(21)]

    assert answers == [200] * 20 + [429]


@pytest.mark.parametrize("operation", sorted(authorization.operations("auth-ms")))
def test_it_changes_nothing_but_its_own_end(ada, support, settings, operation):
    settings.CLIENT_REGISTRATION = "token"
    tokens, called = acting(support), authorization.operations("auth-ms")[operation]
    session = Session.objects.get(actor_id=1)
    ids = {"session_id": session.id, "passkey_id": 1, "user_id": 7, "client_id": "none", "delivery_id": 1}
    ids |= {"slug": "none", "identity_id": 1, "token_id": 1}
    to_anybody = authorization.call(Client(), called, **ids).status_code

    answer = authorization.call(client_of(tokens), called, **ids)

    session.refresh_from_db()
    assert (session.revoked_at is None) is (operation != "logout")
    if operation == "logout":
        assert answer.status_code == 204
    elif (called[0] == "GET" and operation != "export_sign_in_data") or to_anybody != 401:
        assert answer.status_code in (to_anybody, 200, 403, 404)
    elif answer.status_code != 401:  # clients have credentials of their own
        assert (answer.status_code, answer.json()["code"]) == (403, "impersonation_not_accepted")


def test_the_rights_of_an_admin_are_never_gained(ada, support, root):
    tokens = acting(support)
    ada["is_admin"] = True

    assert refresh(tokens).status_code == 401
    assert client_of(tokens).get("/auth-ms/internal/principal").status_code == 401
    assert not is_live(tokens)


def test_a_refresh_goes_on_and_names_the_actor(ada, support):
    again = refresh(acting(support))

    assert again.status_code == 200
    assert claims(again.json()["access_token"])["act"] == {"sub": "1"}
    assert AuditEvent.objects.get(event="token_refresh").actor_id == 1


@pytest.mark.parametrize("change", [{"is_admin": False}, {"is_active": False}])
def test_an_admin_who_is_none_any_more_goes_on_no_longer(ada, support, root, change):
    tokens = acting(support)
    root.update(change)

    assert client_of(tokens).get("/auth-ms/internal/principal").status_code == 401
    assert refresh(tokens).status_code == 401
    assert not is_live(tokens)


def test_it_lasts_no_longer_than_the_setting_which_counts_at_once(ada, support, settings):
    tokens = acting(support)
    assert tokens["refresh_expires_in"] == HALF_AN_HOUR

    with time_machine.travel(timezone.now() + timedelta(seconds=HALF_AN_HOUR + 10)):
        assert refresh(tokens).status_code == 401
    settings.IMPERSONATION_SECONDS = 0
    assert refresh(tokens).status_code == 401
    assert not is_live(tokens)


def test_it_ends_with_the_rights_or_the_sessions_of_the_admin(ada, support, root):
    first = acting(support)
    tasks.apply_account_change(event=account_changed("rights_changed", user_id=1))
    assert not is_live(first)

    second = acting(support)
    assert support.post("/auth-ms/auth/logout-all").status_code == 204
    assert not is_live(second)
    ended = [(each["user_id"], each["reason"]) for each in recorded("sessions_ended_event")]
    assert (7, "revoked") in ended and (1, "logout_all") in ended


def test_it_ends_when_the_user_ends_it_or_all_sessions(ada, ada_client, support):
    tokens = acting(support)
    [session] = [each for each in ada_client.get("/auth-ms/auth/sessions").json()["results"] if each["impersonated"]]

    assert ada_client.delete(f"/auth-ms/auth/sessions/{session['id']}").status_code == 204
    assert not is_live(tokens)
    again = acting(support)
    assert ada_client.post("/auth-ms/auth/logout-all").status_code == 204
    assert not is_live(again)


def test_introspection_follows_the_rights_of_the_admin(ada, support, root, users_service):
    tokens = acting(support)
    other = signed_in(users_service.add(id=2, email="other@example.org", is_admin=True))

    def told(token):
        return other.post("/auth-ms/auth/introspect", **as_json({"token": token})).json()

    assert told(tokens["access_token"])["act"] == {"sub": "1"}
    assert told(tokens["refresh_token"])["active"] is True
    root["is_admin"] = False
    assert told(tokens["access_token"]) == told(tokens["refresh_token"]) == {"active": False}


def test_an_application_is_told_who_acts(acting_browser, app):
    tokens = app.redeem(app.code(acting_browser, scope="openid email")).json()

    for name in ("access_token", "id_token"):
        told = claims(tokens[name])
        assert (told["sub"], told["act"]) == ("7", {"sub": "1"})
        assert not {"auth_time", "amr", "acr"} & set(told)
    assert app.post("introspect", token=tokens["access_token"]).json()["act"] == {"sub": "1"}
    again = app.post("token", grant_type="refresh_token", refresh_token=tokens["refresh_token"]).json()
    assert claims(again["id_token"])["act"] == {"sub": "1"}
    assert AuditEvent.objects.get(event="authorization").actor_id == 1


def test_an_application_loses_it_with_the_rights_of_the_admin(acting_browser, app, root):
    tokens, code = app.redeem(app.code(acting_browser)).json(), app.code(acting_browser)
    userinfo = Client(headers=bearer(tokens))
    assert userinfo.get("/auth-ms/oauth/userinfo").status_code == 200

    root["is_admin"] = False

    assert userinfo.get("/auth-ms/oauth/userinfo").status_code == 401
    assert app.post("introspect", token=tokens["access_token"]).json() == {"active": False}
    assert app.post("introspect", token=tokens["refresh_token"]).json() == {"active": False}
    assert app.redeem(code).json()["error"] == "invalid_grant"
    refreshed = app.post("token", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert refreshed.json()["error"] == "invalid_grant"


def test_nothing_outlives_it(acting_browser, app, settings):
    tokens = app.redeem(app.code(acting_browser, scope="openid offline_access")).json()

    assert "offline_access" not in tokens["scope"].split()
    assert not Session.objects.filter(is_offline=True).exists()
    with time_machine.travel(timezone.now() + timedelta(seconds=HALF_AN_HOUR + 10)):
        refreshed = app.post("token", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert refreshed.json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"prompt": "consent"}, "consent_required"),
        ({"prompt": "none", "max_age": "3600"}, "login_required"),
        (
            {
                "prompt": "none",
                "acr_values": "aal2",
                "claims": '{"id_token":{"acr":{"essential":true,"value":"aal2"}}}',
            },
            "login_required",
        ),
    ],
)
def test_nobody_consents_or_authenticates_for_the_user(acting_browser, app, changes, error):
    assert oauth.members_of(app.authorize(acting_browser, **changes))["error"] == error
    assert not Grant.objects.exists()


def test_an_application_of_somebody_else_needs_the_consent_of_the_user(acting_browser, app):
    app.change(first_party=False)

    assert oauth.members_of(app.authorize(acting_browser))["error"] == "consent_required"


def test_a_form_made_up_for_the_user_is_refused(ada, support, app):
    app.change(first_party=False)
    browser = Client()
    page = app.authorize(browser)  # before anybody is signed in
    act_in(browser, support)
    session = Session.objects.get(actor_id=1)

    answer = oauth.submit(browser, page, step="consent", decision="allow", session=str(session.id))

    assert answer.status_code == 400
    assert not Consent.objects.exists() and not Grant.objects.exists()


def test_no_identity_is_linked_in_the_name_of_the_user(acting_browser):
    answer = acting_browser.get("/auth-ms/oauth/external/other", {"link": "1"})

    assert answer.status_code == 400 and b"Sign in again" in answer.content
