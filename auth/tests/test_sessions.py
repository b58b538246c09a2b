"""Sessions are listed and ended; introspection and auth-ms itself take effect immediately."""

import pytest
from django.test import Client

from auth.tests.builders import as_json, bearer, login
from auth_ms.keys.services import issuing
from auth_ms.models import Session
from chassis.security.principal import ADMIN_SCOPE

pytestmark = pytest.mark.django_db


def introspect(client, token, **extra):
    return client.post("/auth-ms/auth/introspect", **as_json({"token": token}), **extra)


@pytest.fixture
def service():
    """A service of Tessera with a token for auth-ms."""

    def make():
        return Client(headers={"Authorization": f"Bearer {issuing.service_token(audience='auth-ms')}"})

    return make


def test_a_user_sees_its_own_sessions_newest_first(client, sign_in, users_service):
    users_service.add(id=8, email="grace@example.org")
    client.post("/auth-ms/auth/login", **login(username="grace@example.org"))
    client.post("/auth-ms/auth/login", headers={"User-Agent": "Firefox"}, REMOTE_ADDR="192.0.2.7", **login())
    here = sign_in()

    answer = client.get("/auth-ms/auth/sessions", headers=bearer(here))

    this, other = answer.json()["results"]
    assert this["current"] is True
    assert (other["current"], other["address"], other["user_agent"], other["methods"]) == (
        False,
        "192.0.2.7",
        "Firefox",
        ["pwd"],
    )
    assert other["created_at"]
    assert other["last_used_at"]


def test_one_session_is_ended_and_the_others_continue(client, sign_in):
    old, here = sign_in(), sign_in()
    old_id = Session.objects.order_by("id").first().id

    answer = client.delete(f"/auth-ms/auth/sessions/{old_id}", headers=bearer(here))

    assert answer.status_code == 204
    assert client.get("/auth-ms/auth/sessions", headers=bearer(old)).status_code == 401
    assert client.post("/auth-ms/auth/refresh", **as_json({"refresh_token": old["refresh_token"]})).status_code == 401
    assert len(client.get("/auth-ms/auth/sessions", headers=bearer(here)).json()["results"]) == 1
    assert client.delete(f"/auth-ms/auth/sessions/{old_id}", headers=bearer(here)).status_code == 404


def test_logout_ends_this_session_and_logout_all_ends_every_one(client, sign_in):
    first, second, third = sign_in(), sign_in(), sign_in()

    assert client.post("/auth-ms/auth/logout", headers=bearer(first)).status_code == 204
    assert client.get("/auth-ms/auth/sessions", headers=bearer(first)).status_code == 401
    assert client.get("/auth-ms/auth/sessions", headers=bearer(second)).status_code == 200

    assert client.post("/auth-ms/auth/logout-all", headers=bearer(second)).status_code == 204
    assert client.get("/auth-ms/auth/sessions", headers=bearer(second)).status_code == 401
    assert client.get("/auth-ms/auth/sessions", headers=bearer(third)).status_code == 401


def test_another_users_session_is_not_found(client, ada_client, users_service):
    users_service.add(id=8, email="grace@example.org")
    client.post("/auth-ms/auth/login", **login(username="grace@example.org"))
    hers = Session.objects.get(user_id=8)

    assert ada_client.delete(f"/auth-ms/auth/sessions/{hers.id}").status_code == 404
    hers.refresh_from_db()
    assert hers.revoked_at is None


def test_an_admin_ends_any_session(ada_client, admin_client):
    session = Session.objects.get(user_id=7)

    assert admin_client.delete(f"/auth-ms/auth/sessions/{session.id}").status_code == 204
    assert ada_client.get("/auth-ms/auth/sessions").status_code == 401


@pytest.mark.parametrize("session_id", ["0", "-1", "9223372036854775808", "abc"])
def test_an_impossible_id_is_not_found(ada_client, session_id):
    assert ada_client.delete(f"/auth-ms/auth/sessions/{session_id}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "logout"), ("POST", "logout-all"), ("GET", "sessions"), ("DELETE", "sessions/1")]
)
def test_without_a_token_sessions_are_neither_listed_nor_ended(client, sign_in, method, path):
    sign_in()

    assert client.generic(method, f"/auth-ms/auth/{path}").status_code == 401
    assert Session.objects.get().revoked_at is None


def test_introspection_describes_a_token_to_services_and_admins(service, admin_client, sign_in, ada):
    ada["scopes"] = ["orders:read"]
    pair = sign_in()

    for client in (service(), admin_client):
        said = introspect(client, pair["access_token"]).json()
        assert (said["active"], said["sub"], said["scope"], said["token_type"]) == (
            True,
            "7",
            "orders:read",
            "access_token",
        )
        assert (said["amr"], said["acr"]) == (["pwd"], "aal1")
        assert introspect(client, pair["refresh_token"]).json()["active"] is True


def test_introspection_accepts_the_form_of_rfc_7662(service, sign_in):
    pair = sign_in()

    answer = service().generic(
        "POST",
        "/auth-ms/auth/introspect",
        f"token={pair['access_token']}&token_type_hint=access_token&of_another_server=1",
        content_type="application/x-www-form-urlencoded",
    )

    assert answer.json()["active"] is True


def test_introspection_in_json_names_unknown_fields(service, sign_in):
    body = {"token": sign_in()["access_token"], "of_another_server": 1}

    answer = service().post("/auth-ms/auth/introspect", **as_json(body))

    assert answer.status_code == 400
    assert answer.json()["error_codes"] == {"of_another_server": ["unknown_field"]}


def test_introspection_of_an_ended_session_is_inactive_immediately(client, service, sign_in):
    pair = sign_in()
    client.post("/auth-ms/auth/logout", headers=bearer(pair))

    assert introspect(service(), pair["access_token"]).json() == {"active": False}
    assert introspect(service(), pair["refresh_token"]).json() == {"active": False}


@pytest.mark.parametrize("token", ["x", "a.b.c", "ü", "a" * 4096])
def test_introspection_of_malformed_tokens_is_inactive(service, users_service, token):
    assert introspect(service(), token).json() == {"active": False}


def test_introspection_is_not_for_ordinary_users(client, ada_client, sign_in):
    token = sign_in()["access_token"]
    elsewhere = {"Authorization": f"Bearer {issuing.service_token(audience='users-ms')}"}

    assert introspect(client, token).status_code == 401
    assert introspect(ada_client, token).status_code == 403
    assert introspect(client, token, headers=elsewhere).status_code == 401


def test_a_service_token_has_no_session(service, users_service):
    assert service().get("/auth-ms/auth/sessions").status_code == 401


def test_a_token_of_another_user_with_this_session_is_rejected(client, sign_in):
    from django.utils import timezone

    sign_in()
    session = Session.objects.get()
    forged = issuing.access_token(
        user_id=8,
        session_id=session.id,
        scope=ADMIN_SCOPE,
        methods=["pwd"],
        authenticated_at=timezone.now(),
        at=timezone.now(),
    )

    assert client.get("/auth-ms/auth/sessions", headers={"Authorization": f"Bearer {forged}"}).status_code == 401
