"""The audit log: who, what, when, from where, and the outcome; admins read it and nobody changes it."""

import pytest

from auth.tests.builders import PASSWORD, as_json, login
from auth_ms.models import AuditEvent

pytestmark = pytest.mark.django_db


def found(client, **query):
    answer = client.get("/auth-ms/auth/audit-log", query)
    assert answer.status_code == 200
    return answer.json()["results"]


def test_a_failed_and_a_successful_login_are_recorded(client, ada, admin_client):
    headers = {"User-Agent": "Firefox", "X-Request-ID": "request-of-the-test"}
    client.post("/auth-ms/auth/login", headers=headers, REMOTE_ADDR="192.0.2.7", **login(password="wrong"))
    client.post("/auth-ms/auth/login", **login())

    right, wrong = found(admin_client, user_id=7)

    assert (right["event"], right["outcome"]) == ("login", "success")
    assert right["session_id"]
    assert {name: wrong[name] for name in wrong if name not in ("id", "at")} == {
        "event": "login",
        "outcome": "failure",
        "user_id": 7,
        "actor_id": None,
        "session_id": None,
        "username": "a***@example.org",
        "address": "192.0.2.7",
        "user_agent": "Firefox",
        "request_id": "request-of-the-test",
        "details": {},
    }


def test_filters_match_exactly(client, ada, admin_client):
    client.post("/auth-ms/auth/login", **login(password="wrong"))
    client.post("/auth-ms/auth/login", **login(username="nobody@example.org"))
    client.post("/auth-ms/auth/password/forgot", **as_json({"email": "ada@example.org"}))

    assert [event["user_id"] for event in found(admin_client, event="login", outcome="failure")] == [None, 7]
    assert [event["event"] for event in found(admin_client, user_id=7)] == ["password_forgotten", "login"]


@pytest.mark.parametrize(("name", "value"), [("user_id", "x"), ("user_id", 2**63), ("event", "x"), ("outcome", "x")])
def test_an_invalid_filter_is_named(admin_client, name, value):
    answer = admin_client.get("/auth-ms/auth/audit-log", {name: value})

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [name]


def test_the_audit_log_is_for_admins_only(client, ada_client):
    assert client.get("/auth-ms/auth/audit-log").status_code == 401
    assert ada_client.get("/auth-ms/auth/audit-log").status_code == 403


def test_an_admin_who_ends_a_users_session_is_named(ada_client, admin_client):
    session_id = ada_client.get("/auth-ms/auth/sessions").json()["results"][0]["id"]
    admin_client.delete(f"/auth-ms/auth/sessions/{session_id}")

    [event] = found(admin_client, event="session_revoked")
    assert (event["user_id"], event["actor_id"], event["session_id"]) == (7, 1, session_id)


def test_a_user_who_ends_its_own_session_has_no_other_actor(ada_client, admin_client):
    session_id = ada_client.get("/auth-ms/auth/sessions").json()["results"][0]["id"]
    ada_client.delete(f"/auth-ms/auth/sessions/{session_id}")

    [event] = found(admin_client, event="session_revoked")
    assert (event["user_id"], event["actor_id"]) == (7, None)


def test_no_password_is_ever_recorded(client, ada):
    client.post("/auth-ms/auth/login", **login(password="a wrong secret"))
    client.post("/auth-ms/auth/login", **login(username=PASSWORD))  # typed into the wrong field
    client.post("/auth-ms/auth/login", **login())

    written = repr(list(AuditEvent.objects.values()))
    assert PASSWORD not in written
    assert "a wrong secret" not in written
