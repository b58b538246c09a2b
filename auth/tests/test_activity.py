"""A user sees the activity of its account and can export its data."""

import io
import json

import pytest
from django.core.management import call_command
from django.utils import timezone

from auth.tests.actions import account_changed
from auth.tests.builders import as_json, login
from auth.tests.oauth import register
from auth_ms.accounts import tasks
from auth_ms.models import AuditEvent, Consent, OAuthClient, Passkey

pytestmark = pytest.mark.django_db


def activity(client, **query):
    answer = client.get("/auth-ms/auth/activity", query)
    assert answer.status_code == 200
    return answer.json()


def test_a_user_sees_logins_failures_and_changes_of_its_own_account(client, ada_client, admin_client):
    client.post("/auth-ms/auth/login", REMOTE_ADDR="192.0.2.7", **login(password="wrong"))
    tasks.apply_account_change(event=account_changed("phone_changed"))

    seen = activity(ada_client)["results"]

    assert [(event["event"], event["outcome"]) for event in seen] == [
        ("phone_changed", "success"),
        ("login", "failure"),
        ("login", "success"),
    ]
    assert seen[1]["address"] == "192.0.2.7"


def test_an_acting_admin_is_named_without_address_and_user_agent(ada_client):
    tasks.apply_account_change(event=account_changed("rights_changed", actor_id=1))

    [event] = activity(ada_client, limit=1)["results"]
    assert (event["actor_id"], event["address"], event["user_agent"]) == (1, None, "")


def test_nothing_of_an_identity_providers_network_is_shown(ada_client):
    tasks.apply_account_change(event=account_changed("email_changed", actor_id=None, scim_client_id=5))

    [event] = activity(ada_client, limit=1)["results"]
    assert (event["details"]["scim_client_id"], event["address"], event["user_agent"]) == (5, None, "")


def test_refreshes_are_left_out(client, sign_in):
    from django.test import Client

    from auth.tests.builders import bearer

    pair = sign_in()
    client.post("/auth-ms/auth/refresh", **as_json({"refresh_token": pair["refresh_token"]}))

    assert AuditEvent.objects.filter(event="token_refresh").exists()
    assert [event["event"] for event in activity(Client(headers=bearer(pair)))["results"]] == ["login"]


def test_the_activity_is_paginated(ada_client):
    for _ in range(3):
        tasks.apply_account_change(event=account_changed("phone_changed"))

    first = activity(ada_client, limit=2)
    rest = ada_client.get(first["next"]).json()

    assert len(first["results"]) == 2
    assert [event["event"] for event in rest["results"]] == ["phone_changed", "login"]


def test_a_user_exports_its_data_without_secrets(ada_client, admin_client):
    Passkey.objects.create(user_id=7, credential_id=b"id", public_key=b"key", sign_count=0, name="my key")

    answer = ada_client.get("/auth-ms/auth/export")

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    data = answer.json()
    assert data["user_id"] == 7
    assert [session["methods"] for session in data["sessions"]] == [["pwd"]]
    assert [passkey["name"] for passkey in data["passkeys"]] == ["my key"]
    assert (data["totp_confirmed_at"], data["recovery_codes"]) == (None, 0)
    assert [event["event"] for event in data["activity"]] == ["login"]
    assert set(data["passkeys"][0]) == {"id", "name", "created_at", "last_used_at"}


def test_the_export_has_what_applications_were_allowed(ada_client):
    registered = register()
    application = OAuthClient.objects.get()
    for user_id in (7, 8):
        Consent.objects.create(
            user_id=user_id, client=application, scopes=["openid"], resources=[], given_at=timezone.now()
        )

    [consent] = ada_client.get("/auth-ms/auth/export").json()["consents"]

    assert (consent["client_id"], consent["scopes"]) == (registered.client_id, ["openid"])


def test_an_operator_exports_what_the_user_would_get(ada_client):
    output = io.StringIO()

    call_command("export_user", "7", stdout=output)

    own = ada_client.get("/auth-ms/auth/export").json()
    assert json.loads(output.getvalue()) | {"exported_at": None} == own | {"exported_at": None}


@pytest.mark.parametrize("path", ["activity", "export"])
def test_activity_and_export_are_only_for_their_own_user(client, path):
    assert client.get(f"/auth-ms/auth/{path}").status_code == 401
