"""A refresh token works once; a stolen one ends the session, for the thief and for the owner."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import jwt
import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from auth.tests.builders import as_json, bearer
from auth_ms.models import AuditEvent, RefreshToken, Session
from auth_ms.sessions import selectors
from auth_ms.sessions import services as sessions

pytestmark = pytest.mark.django_db


def refresh(client, token):
    return client.post("/auth-ms/auth/refresh", **as_json({"refresh_token": token}))


def pass_time(**span):
    """Move all stored times into the past."""
    for model, fields in (
        (Session, ["created_at", "last_used_at", "revoked_at"]),
        (RefreshToken, ["created_at", "expires_at", "used_at"]),
    ):
        for row in model.objects.all():
            for field in fields:
                if moment := getattr(row, field):
                    setattr(row, field, moment - timedelta(**span))
            row.save()


def test_a_refresh_gives_a_new_pair_of_the_same_session(client, sign_in):
    first = sign_in()

    second = refresh(client, first["refresh_token"])

    assert second.status_code == 200
    assert second.headers["Cache-Control"] == "no-store"
    assert second.json()["refresh_token"] != first["refresh_token"]
    claims = [jwt.decode(pair["access_token"], options={"verify_signature": False}) for pair in (first, second.json())]
    assert claims[0]["sid"] == claims[1]["sid"]
    assert claims[0]["jti"] != claims[1]["jti"]
    assert Session.objects.count() == 1


def test_a_refreshed_token_states_when_its_user_signed_in(client, sign_in):
    first = sign_in()
    pass_time(hours=1)

    refreshed = refresh(client, first["refresh_token"]).json()

    claims = jwt.decode(refreshed["access_token"], options={"verify_signature": False})
    assert claims["iat"] - claims["auth_time"] >= 3600


def test_a_chain_of_refreshes_works(client, sign_in):
    token = sign_in()["refresh_token"]

    for _ in range(5):
        answer = refresh(client, token)
        assert answer.status_code == 200
        token = answer.json()["refresh_token"]


def test_parallel_requests_of_one_client_get_the_same_successor(client, sign_in):
    token = sign_in()["refresh_token"]

    successors = {refresh(client, token).json()["refresh_token"] for _ in range(3)}

    assert len(successors) == 1
    assert RefreshToken.objects.count() == 2
    assert refresh(client, successors.pop()).status_code == 200


def test_reusing_an_old_token_later_ends_the_session(client, sign_in):
    tokens = sign_in()
    successor = refresh(client, tokens["refresh_token"]).json()
    pass_time(seconds=11)

    again = refresh(client, tokens["refresh_token"])

    assert again.status_code == 401
    assert refresh(client, successor["refresh_token"]).status_code == 401
    assert client.get("/auth-ms/auth/sessions", headers=bearer(successor)).status_code == 401
    assert AuditEvent.objects.get(event="refresh_token_reuse").outcome == "failure"


def test_reuse_is_detected_even_while_users_ms_is_down(client, sign_in, users_service):
    tokens = sign_in()
    refresh(client, tokens["refresh_token"])
    pass_time(seconds=11)
    users_service.close()

    assert refresh(client, tokens["refresh_token"]).status_code == 401
    assert Session.objects.get().revoked_at is not None


def test_a_refresh_takes_the_current_rights(client, ada, sign_in):
    token = sign_in()["refresh_token"]
    ada.update(is_admin=True, scopes=["orders:read"])

    access_token = refresh(client, token).json()["access_token"]

    assert jwt.decode(access_token, options={"verify_signature": False})["scope"] == "admin orders:read"


@pytest.mark.parametrize("change", ["gone", "inactive"])
def test_a_deleted_or_deactivated_user_gets_no_more_tokens(client, ada, sign_in, users_service, change):
    token = sign_in()["refresh_token"]
    if change == "gone":
        users_service.users.clear()
    else:
        ada["is_active"] = False

    assert refresh(client, token).status_code == 401
    assert Session.objects.get().revoked_at is not None


def test_users_ms_down_is_503_and_the_token_stays_valid(client, sign_in, users_service):
    token = sign_in()["refresh_token"]
    users_service.status = 500

    assert refresh(client, token).status_code == 503
    users_service.status = 200
    assert refresh(client, token).status_code == 200


def test_a_refreshed_token_states_how_its_user_signed_in(client, sign_in):
    refreshed = refresh(client, sign_in()["refresh_token"]).json()

    claims = jwt.decode(refreshed["access_token"], options={"verify_signature": False})
    assert (claims["amr"], claims["acr"]) == (["pwd"], "aal1")
    assert jwt.get_unverified_header(refreshed["access_token"])["typ"] == "at+jwt"


def test_a_session_has_a_maximum_lifetime(client, sign_in, settings):
    settings.SESSION_SECONDS = settings.REFRESH_TOKEN_SECONDS + 3600
    pair = sign_in()
    assert pair["refresh_expires_in"] == settings.REFRESH_TOKEN_SECONDS
    pass_time(seconds=settings.REFRESH_TOKEN_SECONDS - 600)

    pair = refresh(client, pair["refresh_token"]).json()

    assert 4190 <= pair["refresh_expires_in"] <= 4200
    pass_time(seconds=4201)
    assert refresh(client, pair["refresh_token"]).status_code == 401
    assert client.get("/auth-ms/auth/sessions", headers=bearer(pair)).status_code == 401
    assert selectors.introspect(token=pair["refresh_token"], at=timezone.now()) == {"active": False}


def test_a_session_of_the_previous_version_ends_like_any_other(client, sign_in, settings):
    pair = sign_in()
    Session.objects.update(created_at=timezone.now() - timedelta(seconds=settings.SESSION_SECONDS + 1))

    assert refresh(client, pair["refresh_token"]).status_code == 401  # although its token's row says otherwise
    assert selectors.introspect(token=pair["refresh_token"], at=timezone.now()) == {"active": False}


def test_an_unused_session_expires(client, sign_in, settings):
    tokens = sign_in()
    pass_time(seconds=settings.REFRESH_TOKEN_SECONDS + 1)

    assert refresh(client, tokens["refresh_token"]).status_code == 401


@pytest.mark.parametrize("token", ["x", "ü", "a" * 128])
def test_an_unknown_token_is_rejected(client, users_service, token):
    answer = refresh(client, token)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("token", [None, "", 7, True, [], {}, "a" * 129, "a\0b"])
def test_a_token_that_is_not_text_is_named(client, users_service, token):
    answer = refresh(client, token)

    assert answer.status_code == 400


@pytest.mark.django_db(transaction=True)
def test_parallel_refreshes_rotate_once(sign_in):
    token = sign_in()["refresh_token"]

    def attempt(_):
        try:
            return refresh(Client(), token)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(attempt, range(8)))

    assert [answer.status_code for answer in answers] == [200] * 8
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    assert RefreshToken.objects.count() == 2


def test_expired_sessions_are_deleted(client, sign_in, settings):
    sign_in()
    sessions.prune(at=timezone.now() + timedelta(seconds=settings.REFRESH_TOKEN_SECONDS - 60))
    assert Session.objects.exists()

    sessions.prune(at=timezone.now() + timedelta(seconds=settings.REFRESH_TOKEN_SECONDS + 60))
    assert not Session.objects.exists()
