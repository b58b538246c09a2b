"""How long sessions last, of users and of applications with offline_access: settings that count at once."""

from datetime import datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from auth.tests.builders import as_json, bearer
from auth_ms.models import Grant, Session
from auth_ms.provider.services import pruning as provider_pruning
from auth_ms.sessions import services as sessions

pytestmark = pytest.mark.django_db
HOUR = 3600


def refresh(client, token):
    return client.post("/auth-ms/auth/refresh", **as_json({"refresh_token": token}))


def refreshed(app, token):
    return app.post("token", grant_type="refresh_token", refresh_token=token)


def later(**delta):
    return time_machine.travel(timezone.now() + timedelta(**delta))


@pytest.mark.parametrize("setting", ["REFRESH_TOKEN_SECONDS", "SESSION_SECONDS"])
def test_a_shorter_length_ends_open_sessions_at_once(client, sign_in, settings, setting):
    pair = sign_in()
    setattr(settings, setting, HOUR)

    with later(hours=1, seconds=-60):
        assert client.get("/auth-ms/auth/sessions", headers=bearer(sign_in())).status_code == 200
        assert Session.objects.count() == 2
    with later(hours=1, seconds=60):
        assert refresh(client, pair["refresh_token"]).status_code == 401


@pytest.mark.parametrize(
    ("idle", "absolute", "expected"), [(HOUR, 2 * HOUR, HOUR), (2 * HOUR, HOUR, HOUR), (HOUR, HOUR, HOUR)]
)
def test_the_list_of_sessions_says_when_each_ends(client, sign_in, settings, idle, absolute, expected):
    settings.REFRESH_TOKEN_SECONDS, settings.SESSION_SECONDS = idle, absolute

    [listed] = client.get("/auth-ms/auth/sessions", headers=bearer(sign_in())).json()["results"]

    lasts = datetime.fromisoformat(listed["expires_at"]) - datetime.fromisoformat(listed["created_at"])
    assert lasts == timedelta(seconds=expected)


@pytest.mark.parametrize(("scope", "goes_on"), [("openid email offline_access", True), ("openid email", False)])
def test_an_application_with_offline_access_has_lengths_of_its_own(app, browser, settings, scope, goes_on):
    settings.REFRESH_TOKEN_SECONDS = settings.SESSION_SECONDS = HOUR
    tokens = app.redeem(app.code(browser, scope=scope)).json()

    with later(hours=2):
        answer = refreshed(app, tokens["refresh_token"])

    assert (answer.status_code == 200) is goes_on


@pytest.mark.parametrize("setting", ["OFFLINE_REFRESH_TOKEN_SECONDS", "OFFLINE_SESSION_SECONDS"])
def test_offline_access_ends_by_its_own_settings(app, browser, settings, setting):
    tokens = app.redeem(app.code(browser, scope="openid email offline_access")).json()
    setattr(settings, setting, HOUR)

    with later(hours=2):
        assert refreshed(app, tokens["refresh_token"]).status_code == 400
        assert Client().get("/auth-ms/oauth/userinfo", headers=bearer(tokens)).status_code == 401


def test_pruning_spares_offline_access_that_lasts_longer(app, browser, settings):
    settings.REFRESH_TOKEN_SECONDS = settings.SESSION_SECONDS = HOUR
    app.redeem(app.code(browser, scope="openid email offline_access"))
    app.redeem(app.code(browser, scope="openid email"))
    at = timezone.now() + timedelta(hours=2)

    provider_pruning.prune(at=at)
    sessions.prune(at=at)

    assert Session.objects.get().is_offline
    assert Grant.objects.get().revoked_at is None
