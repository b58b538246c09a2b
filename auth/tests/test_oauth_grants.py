"""What a code and a refresh token give, and what ends it."""

import json
from datetime import timedelta

import jwt
import pytest
import time_machine
from django.conf import settings
from django.test import Client
from django.utils import timezone

from auth.tests import oauth
from auth.tests.builders import bearer
from auth_ms.keys.services import issuing, signing_keys
from auth_ms.models import AuditEvent, Grant, GrantRefreshToken, Session
from auth_ms.provider.services import consents

pytestmark = pytest.mark.django_db


def tokens_of(app, browser, **changes):
    answer = app.redeem(app.code(browser, **changes))
    assert answer.status_code == 200, answer.content
    return answer.json()


def refresh(app, token, **changes):
    return app.post("token", grant_type="refresh_token", refresh_token=token, **changes)


def claims_of(token):
    return jwt.decode(token, options={"verify_signature": False})


def is_active(app, token):
    return app.post("introspect", token=token).json()["active"]


def refused(answer):
    return (answer.status_code, answer.json().get("error")) == (400, "invalid_grant")


def test_an_access_token_is_for_the_resource_and_never_for_tessera(app, browser):
    token = tokens_of(app, browser)["access_token"]

    claims = claims_of(token)
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
    assert claims["aud"] == [oauth.API, f"{settings.PUBLIC_URL}/auth-ms/oauth/userinfo"]
    assert claims["client_id"] == app.client_id
    for path in ("auth/sessions", "auth/consents", "internal/principal"):
        assert Client(headers=bearer({"access_token": token})).get(f"/auth-ms/{path}").status_code == 401


def test_rights_are_those_of_the_user_and_admin_is_never_among_them(app, browser, ada):
    app.change(scopes=["openid", "orders:read", "admin"])
    without = tokens_of(app, browser, scope="openid orders:read admin")
    ada.update(scopes=["orders:read"], is_admin=True)
    with_it = tokens_of(app, browser, scope="openid orders:read admin")

    assert without["scope"] == "openid"
    assert with_it["scope"] == "openid orders:read"


def test_a_right_that_is_taken_away_is_gone_at_introspection_and_refresh(app, browser, ada):
    ada.update(scopes=["orders:read"])
    tokens = tokens_of(app, browser, scope="openid orders:read")
    ada.update(scopes=[])

    assert app.post("introspect", token=tokens["access_token"]).json()["scope"] == "openid"
    assert refresh(app, tokens["refresh_token"]).json()["scope"] == "openid"


def test_an_id_token_is_no_access_token(app, browser):
    tokens = tokens_of(app, browser)
    as_access = {"access_token": tokens["id_token"]}

    assert Client(headers=bearer(as_access)).get("/auth-ms/oauth/userinfo").status_code == 401
    assert Client(headers=bearer(as_access)).get("/auth-ms/auth/sessions").status_code == 401
    assert not is_active(app, tokens["id_token"])
    assert app.authorize(browser, id_token_hint=tokens["access_token"]).status_code == 303
    assert oauth.members_of(app.authorize(browser, id_token_hint=tokens["access_token"]))["error"] == "invalid_request"


UNSIGNED = jwt.encode({}, "", algorithm="none", headers={"typ": "at+jwt"})


@pytest.mark.parametrize("token", ["", "x", "e30.e30.e30", UNSIGNED])
def test_userinfo_rejects_what_is_no_token_of_a_client(app, token, sign_in):
    answer = Client(headers={"Authorization": f"Bearer {token}"}).get("/auth-ms/oauth/userinfo")

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer ")
    assert Client(headers=bearer(sign_in())).get("/auth-ms/oauth/userinfo").status_code == 401


def test_a_token_signed_with_the_public_key_as_a_secret_is_rejected(app, browser):
    public = signing_keys.key_ring().current(timezone.now())
    claims = claims_of(tokens_of(app, browser)["access_token"])
    header = {"kid": public.kid, "typ": "at+jwt"}
    forged = jwt.encode(claims, "a public key is no secret at all, as everybody has it", "HS256", header)

    assert Client(headers={"Authorization": f"Bearer {forged}"}).get("/auth-ms/oauth/userinfo").status_code == 401
    assert not is_active(app, forged)


def test_userinfo_takes_the_token_in_a_form_too(app, browser):
    answer = oauth.post("userinfo", access_token=tokens_of(app, browser)["access_token"])

    assert answer.json()["sub"] == "7"


def test_userinfo_needs_the_scope_openid(app, browser, ada):
    ada.update(scopes=["orders:read"])
    token = tokens_of(app, browser, scope="orders:read")

    assert "id_token" not in token
    assert Client(headers=bearer(token)).get("/auth-ms/oauth/userinfo").status_code == 401  # not its audience


def test_a_client_gets_pseudonyms_when_registered_so(app, browser):
    private, other = (oauth.register(subject_type="pairwise") for _ in range(2))

    tokens = tokens_of(private, browser)
    subject = claims_of(tokens["id_token"])["sub"]
    assert subject != "7"
    assert claims_of(tokens["access_token"])["sub"] == subject
    assert Client(headers=bearer(tokens)).get("/auth-ms/oauth/userinfo").json()["sub"] == subject
    assert claims_of(tokens_of(private, browser)["id_token"])["sub"] == subject
    assert claims_of(tokens_of(other, browser)["id_token"])["sub"] != subject


# Codes


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": None},
        {"code_verifier": oauth.VERIFIER + "x"},
        {"code_verifier": "short"},
        {"code_verifier": oauth.challenge_of(oauth.VERIFIER)},
        {"redirect_uri": "https://evil.example/callback"},
        {"code": "guessed"},
    ],
)
def test_a_stolen_code_is_worth_nothing_without_verifier_and_redirect_uri(app, browser, changes):
    stolen = app.code(browser)

    assert refused(app.redeem(**{"code": stolen} | changes))
    assert app.redeem(stolen).status_code == 200


def test_a_code_of_another_client_is_rejected(app, browser):
    assert refused(oauth.register().redeem(app.code(browser)))


def test_a_verifier_without_a_challenge_is_a_downgrade(browser):
    old = oauth.register(require_pkce=False)
    given = old.code(browser, code_challenge=None, code_challenge_method=None)

    assert refused(old.redeem(given))
    assert old.redeem(given, code_verifier=None).status_code == 200


def test_without_pkce_the_redirect_uri_is_needed(browser):
    old = oauth.register(require_pkce=False)
    given = old.code(browser, code_challenge=None, code_challenge_method=None)

    assert refused(old.redeem(given, code_verifier=None, redirect_uri=None))


def test_a_code_expires(app, browser):
    given = app.code(browser)

    with time_machine.travel(timezone.now() + timedelta(seconds=61)):
        assert refused(app.redeem(given))


def test_a_replayed_code_ends_what_its_first_use_gave(app, browser):
    given = app.code(browser)
    first = app.redeem(given).json()

    assert refused(app.redeem(given))
    assert not is_active(app, first["access_token"])
    assert refused(refresh(app, first["refresh_token"]))
    assert Client(headers=bearer(first)).get("/auth-ms/oauth/userinfo").status_code == 401
    assert AuditEvent.objects.get(event="authorization_code_replay").outcome == "failure"


def test_nobody_but_the_client_can_end_a_grant_with_a_code(app, browser):
    given = app.code(browser)
    first = app.redeem(given).json()

    assert refused(oauth.register().redeem(given))
    assert is_active(app, first["access_token"])


@pytest.mark.parametrize("fact", ["is_active", "gone"])
def test_a_user_who_may_not_sign_in_any_more_gets_nothing(app, browser, ada, users_service, fact):
    given, tokens = app.code(browser), tokens_of(app, browser)
    if fact == "gone":
        users_service.users.clear()
    else:
        ada["is_active"] = False

    assert refused(app.redeem(given))
    assert refused(refresh(app, tokens["refresh_token"]))
    assert not is_active(app, tokens["access_token"])
    assert not is_active(app, tokens["refresh_token"])


def test_the_client_is_told_to_come_back_when_users_ms_does_not_answer(app, browser, users_service):
    given = app.code(browser)
    users_service.status = 500
    answer = app.redeem(given)
    users_service.status = 200

    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert int(answer["Retry-After"]) >= 1
    assert app.redeem(given).status_code == 200


# Refresh


def test_a_refresh_token_is_exchanged_for_its_successor(app, browser):
    first = tokens_of(app, browser)

    second = refresh(app, first["refresh_token"]).json()

    assert second["refresh_token"] != first["refresh_token"]
    assert refresh(app, second["refresh_token"]).status_code == 200
    renewed, original = claims_of(second["id_token"]), claims_of(first["id_token"])
    assert "nonce" not in renewed
    assert (renewed["sub"], renewed["auth_time"], renewed["sid"]) == (
        original["sub"],
        original["auth_time"],
        original["sid"],
    )


def test_a_lost_answer_is_repeated_within_ten_seconds(app, browser):
    first = tokens_of(app, browser)["refresh_token"]

    one, other = refresh(app, first).json(), refresh(app, first).json()

    assert one["refresh_token"] == other["refresh_token"]
    assert GrantRefreshToken.objects.count() == 2


def test_a_refresh_token_used_again_later_ends_the_grant(app, browser):
    first = tokens_of(app, browser)["refresh_token"]
    second = refresh(app, first).json()

    with time_machine.travel(timezone.now() + timedelta(seconds=11)):
        assert refused(refresh(app, first))
        assert refused(refresh(app, second["refresh_token"]))
        assert not is_active(app, second["access_token"])
    assert AuditEvent.objects.get(event="refresh_token_reuse").details["client_id"] == app.client_id


def test_a_refresh_token_of_another_client_is_rejected(app, browser):
    assert refused(refresh(oauth.register(), tokens_of(app, browser)["refresh_token"]))


def test_a_refresh_token_of_a_client_is_none_of_the_account_api(app, browser, client):
    token = tokens_of(app, browser)["refresh_token"]

    answer = client.post("/auth-ms/auth/refresh", {"refresh_token": token}, content_type="application/json")

    assert answer.status_code == 401


def test_a_refresh_may_ask_for_less_and_never_for_more(app, browser):
    token = tokens_of(app, browser, scope="openid email")["refresh_token"]

    assert refresh(app, token, scope="openid phone").json()["error"] == "invalid_scope"
    assert refresh(app, token, resource="https://other.example").json()["error"] == "invalid_target"
    assert refresh(app, token, scope="openid").json()["scope"] == "openid"


def test_a_client_without_the_grant_gets_no_refresh_token(browser):
    app = oauth.register(grant_types=["authorization_code"])

    assert "refresh_token" not in tokens_of(app, browser)


# What ends with what


def test_what_was_granted_ends_with_the_session(app, browser):
    tokens = tokens_of(app, browser)
    Session.objects.update(revoked_at=timezone.now())

    assert refused(refresh(app, tokens["refresh_token"]))
    assert not is_active(app, tokens["access_token"])
    assert Client(headers=bearer(tokens)).get("/auth-ms/oauth/userinfo").status_code == 401


def test_offline_access_survives_a_logout_and_ends_with_all_sessions(app, browser, sign_in):
    tokens = tokens_of(app, browser, scope="openid offline_access")
    browser.get("/auth-ms/oauth/end-session", {"id_token_hint": tokens["id_token"]})
    survived = refresh(app, tokens["refresh_token"])
    account = Client(headers=bearer(sign_in()))
    listed = account.get("/auth-ms/auth/sessions").json()["results"]
    account.post("/auth-ms/auth/logout-all")

    assert survived.status_code == 200
    assert "Orders" in [session["user_agent"] for session in listed]
    assert refused(refresh(app, survived.json()["refresh_token"]))


def test_a_revoked_refresh_token_ends_the_grant(app, browser):
    tokens = tokens_of(app, browser)

    assert app.post("revoke", token=tokens["refresh_token"]).status_code == 200
    assert refused(refresh(app, tokens["refresh_token"]))
    assert not is_active(app, tokens["access_token"])


def test_another_client_cannot_revoke_a_refresh_token(app, browser):
    tokens = tokens_of(app, browser)

    assert oauth.register().post("revoke", token=tokens["refresh_token"]).status_code == 200
    assert refresh(app, tokens["refresh_token"]).status_code == 200


def test_a_user_disconnects_an_application(app, browser, sign_in):
    third = oauth.register(first_party=False, name="Third")
    page = third.authorize(browser)
    given = oauth.members_of(oauth.submit(browser, page, decision="allow"))["code"]
    tokens = third.redeem(given).json()
    account = Client(headers=bearer(sign_in()))
    listed = account.get("/auth-ms/auth/consents").json()["results"]

    assert [(each["name"], each["scopes"]) for each in listed] == [("Third", ["email", "openid"])]
    assert account.delete(f"/auth-ms/auth/consents/{third.client_id}").status_code == 204
    assert refused(refresh(third, tokens["refresh_token"]))
    assert third.authorize(browser).status_code == 200
    assert account.delete(f"/auth-ms/auth/consents/{third.client_id}").status_code == 404


def test_a_deleted_user_leaves_neither_consents_nor_grants(app, browser):
    consents.delete_user_data(user_id=7)

    assert not Grant.objects.exists()


# Logout


def logout(browser, **query):
    return browser.get("/auth-ms/oauth/end-session", query)


def test_a_client_that_proves_the_session_ends_it_and_gets_the_user_back(app, browser):
    hint = tokens_of(app, browser)["id_token"]

    answer = logout(
        browser, id_token_hint=hint, post_logout_redirect_uri="https://orders.example.org/", state="a-state"
    )

    assert answer["Location"] == "https://orders.example.org/?state=a-state"
    assert not Session.objects.filter(revoked_at=None).exists()
    assert app.authorize(browser).status_code == 200


def test_an_expired_id_token_is_still_a_hint(app, browser):
    hint = tokens_of(app, browser)["id_token"]

    with time_machine.travel(timezone.now() + timedelta(seconds=400)):
        assert logout(browser, id_token_hint=hint).status_code == 200
    assert not Session.objects.filter(revoked_at=None).exists()


@pytest.mark.parametrize("hint", ["none", "of another session"])
def test_without_that_proof_the_user_is_asked(app, browser, hint):
    other = Client()
    oauth.sign_in(other, app.authorize(other))
    query = {} if hint == "none" else {"id_token_hint": tokens_of(app, other)["id_token"]}

    page = logout(browser, **query)
    ignored = Client().post("/auth-ms/oauth/end-session", oauth.fields_of(page))
    assert page.status_code == ignored.status_code == 200
    assert Session.objects.filter(revoked_at=None).count() == 2
    browser.post("/auth-ms/oauth/end-session", oauth.fields_of(page))
    assert Session.objects.filter(revoked_at=None).count() == 1


BACK = "https://orders.example.org/"  # the registered post_logout_redirect_uri


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"client_id": "{id}", "post_logout_redirect_uri": "https://evil.example/"}, "not registered"),
        ({"client_id": "{id}", "post_logout_redirect_uri": BACK.rstrip("/")}, "not registered"),
        ({"client_id": "{id}", "post_logout_redirect_uri": f"{BACK}?more=1"}, "not registered"),
        ({"client_id": "unknown", "post_logout_redirect_uri": BACK}, "not registered"),
        ({"post_logout_redirect_uri": BACK}, "did not say which one it is"),
        ({"id_token_hint": "e30.e30."}, "invalid id_token_hint"),
        ({"id_token_hint": "{changed}"}, "invalid id_token_hint"),
        ({"id_token_hint": "{hint}", "client_id": "unknown"}, "invalid id_token_hint"),
    ],
)
def test_a_logout_leads_nowhere_that_is_not_registered(app, browser, query, reason):
    hint = tokens_of(app, browser)["id_token"]
    header, _, signature = hint.split(".")
    changed = issuing.base64url(json.dumps(claims_of(hint) | {"sub": "8"}).encode())
    known = {"id": app.client_id, "hint": hint, "changed": f"{header}.{changed}.{signature}"}

    answer = logout(browser, **{name: value.format(**known) for name, value in query.items()})

    assert answer.status_code == 400
    assert "Location" not in answer
    assert reason in answer.content.decode()
    assert Session.objects.filter(revoked_at=None).exists()


def test_a_client_that_asks_too_often_is_told_when_to_come_back_and_others_are_not(settings):
    settings.TOKEN_REQUESTS_PER_MINUTE, settings.TRUSTED_PROXIES = 2, ["127.0.0.1"]
    one, other = oauth.register(), oauth.register()
    elsewhere = {"X-Forwarded-For": "203.0.113.9"}

    answers = [one.post("token", grant_type="client_credentials") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["error"] == "temporarily_unavailable"
    assert 1 <= int(answers[2]["Retry-After"]) <= 30
    assert other.post("token", grant_type="client_credentials").status_code == 200
    assert one.post("token", elsewhere, grant_type="client_credentials").status_code == 200
