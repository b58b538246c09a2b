"""A user's rights depend on session and account as they are now, not on the token alone."""

import pytest
from django.test import Client

from auth.tests.builders import PASSWORD, as_json, bearer
from auth_ms.keys.services import issuing
from auth_ms.models import Session

pytestmark = pytest.mark.django_db


def introspect(token):
    service = Client(headers={"Authorization": f"Bearer {issuing.service_token(audience='auth-ms')}"})
    return service.post("/auth-ms/auth/introspect", **as_json({"token": token}))


def internal(what, pair):
    return Client().get(f"/auth-ms/internal/{what}", headers=bearer(pair))


def lose(ada, users_service, what):
    if what == "gone":
        users_service.users.clear()
    else:
        ada["is_active"] = False


def test_users_ms_checks_a_session_without_being_called_back(client, sign_in, users_service):
    pair = sign_in()
    session = Session.objects.get()
    users_service.status = 500

    assert internal("session", pair).json() == {"user_id": 7, "session_id": session.id}
    client.post("/auth-ms/auth/logout", headers=bearer(pair))
    assert internal("session", pair).status_code == 401


def test_other_services_get_the_current_rights_of_an_account(ada, sign_in):
    ada.update(is_admin=True, scopes=["orders:read", "orders:write"])
    pair = sign_in()
    principal = {"user_id": 7, "session_id": Session.objects.get().id}

    said = internal("principal", pair).json()
    assert said == principal | {"is_admin": True, "scopes": ["orders:read", "orders:write"]}

    ada.update(is_admin=False, scopes=["orders:read", "given:later"])
    assert internal("principal", pair).json() == principal | {"is_admin": False, "scopes": ["orders:read"]}


@pytest.mark.parametrize("what", ["gone", "inactive"])
def test_a_deleted_or_deactivated_account_is_no_principal(ada, sign_in, users_service, what):
    pair = sign_in()
    lose(ada, users_service, what)

    assert internal("principal", pair).status_code == 401


def test_nobody_is_a_principal_while_users_ms_is_down(sign_in, users_service):
    pair = sign_in()
    users_service.status = 500

    assert internal("principal", pair).status_code == 503


@pytest.mark.parametrize("route", ["session", "principal"])
def test_internal_routes_need_a_users_token(client, users_service, route):
    service = {"Authorization": f"Bearer {issuing.service_token(audience='auth-ms')}"}

    assert client.get(f"/auth-ms/internal/{route}").status_code == 401
    assert client.get(f"/auth-ms/internal/{route}", headers=service).status_code == 401


@pytest.mark.parametrize("what", ["gone", "inactive"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("password/change", {"current_password": PASSWORD, "new_password": "a longer staple of horses"}),
        ("email/verification", {}),
        ("mfa/totp", {}),
        ("mfa/recovery-codes", {}),
        ("passkeys/options", {}),
    ],
)
def test_a_deleted_or_deactivated_account_changes_nothing(ada, ada_client, users_service, what, path, body):
    lose(ada, users_service, what)
    before = len(users_service.given)

    assert ada_client.post(f"/auth-ms/auth/{path}", **as_json(body)).status_code == 401
    assert len(users_service.given) == before


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "auth/password/change"),
        ("POST", "auth/email/verification"),
        ("POST", "auth/phone/verification"),
        ("POST", "auth/mfa/totp"),
        ("DELETE", "auth/mfa/totp"),
        ("POST", "auth/passkeys/options"),
        ("GET", "auth/activity"),
        ("GET", "auth/export"),
        ("GET", "internal/principal"),
    ],
)
def test_an_ended_session_changes_and_reads_nothing(client, sign_in, users_service, method, path):
    pair = sign_in()
    client.post("/auth-ms/auth/logout", headers=bearer(pair))
    before = len(users_service.calls)

    assert client.generic(method, f"/auth-ms/{path}", headers=bearer(pair)).status_code == 401
    assert len(users_service.calls) == before


def test_a_former_admin_reads_no_audit_log_and_ends_no_other_session(ada_client, admin_client, users_service):
    session = Session.objects.get(user_id=7)
    users_service.find(user_id="1")["is_admin"] = False

    assert admin_client.get("/auth-ms/auth/audit-log").status_code == 403
    assert admin_client.delete(f"/auth-ms/auth/sessions/{session.id}").status_code == 404
    assert admin_client.post("/auth-ms/auth/introspect", **as_json({"token": "x"})).status_code == 403
    session.refresh_from_db()
    assert session.revoked_at is None


def test_admin_operations_fail_closed_while_users_ms_is_down(ada_client, admin_client, users_service):
    session = Session.objects.get(user_id=7)
    users_service.status = 500

    assert admin_client.get("/auth-ms/auth/audit-log").status_code == 503
    assert admin_client.delete(f"/auth-ms/auth/sessions/{session.id}").status_code == 503
    session.refresh_from_db()
    assert session.revoked_at is None


def test_a_user_logs_out_while_users_ms_is_down(client, sign_in, users_service):
    _, second, third = sign_in(), sign_in(), sign_in()
    first_id = Session.objects.order_by("id").first().id
    users_service.status = 500

    assert client.delete(f"/auth-ms/auth/sessions/{first_id}", headers=bearer(third)).status_code == 204
    assert client.post("/auth-ms/auth/logout", headers=bearer(second)).status_code == 204
    assert client.post("/auth-ms/auth/logout-all", headers=bearer(third)).status_code == 204
    assert not Session.objects.filter(revoked_at=None).exists()


@pytest.mark.parametrize("what", ["gone", "inactive"])
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_introspection_of_a_deleted_or_deactivated_account_is_inactive(ada, sign_in, users_service, what, kind):
    pair = sign_in()
    assert introspect(pair[kind]).json()["active"] is True
    lose(ada, users_service, what)

    assert introspect(pair[kind]).json() == {"active": False}


def test_introspection_returns_the_remaining_scopes(ada, sign_in):
    ada.update(is_admin=True, scopes=["orders:read"])
    pair = sign_in()
    ada["is_admin"] = False

    assert introspect(pair["access_token"]).json()["scope"] == "orders:read"


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_introspection_fails_while_users_ms_is_down(sign_in, users_service, kind):
    pair = sign_in()
    users_service.status = 500

    assert introspect(pair[kind]).status_code == 503


def test_reading_own_data_makes_no_call_to_users_ms(ada_client, users_service):
    before = len(users_service.calls)

    for path in ("sessions", "mfa", "passkeys"):
        assert ada_client.get(f"/auth-ms/auth/{path}").status_code == 200
    assert len(users_service.calls) == before


def test_writes_work_with_an_older_users_ms_without_the_rights_route(ada, sign_in, users_service):
    pair = sign_in()
    users_service.missing.add("rights")

    assert internal("principal", pair).status_code == 200
    ada["is_active"] = False
    assert internal("principal", pair).status_code == 401
