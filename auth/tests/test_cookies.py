"""The refresh token as a cookie: only for pages of the same origin, hidden from scripts, and only on request."""

import pyotp
import pytest
from django.test import Client

from auth.tests.builders import as_json, bearer, login

pytestmark = pytest.mark.django_db

HOST = "accounts.example.org"
OWN = {"Host": HOST, "Origin": f"https://{HOST}", "Token-Delivery": "cookie"}
REFRESH = "/auth-ms/auth/refresh"
NAME = "__Host-refresh_token"


@pytest.fixture
def page(ada):
    """A browser on a page of the gateway."""
    return Client(headers=OWN)


@pytest.fixture
def signed_in(page):
    """The answer to a login from that page."""
    return page.post("/auth-ms/auth/login", **login())


def test_the_cookie_is_hidden_from_scripts_and_other_hosts(signed_in):
    cookie = signed_in.cookies[NAME]

    assert signed_in.json()["refresh_token"] == ""
    assert cookie["path"] == "/"  # required by browsers for a name that begins with __Host-
    assert cookie["httponly"] and cookie["secure"]
    assert cookie["samesite"] == "Strict"
    assert cookie["domain"] == ""
    assert cookie["max-age"] == signed_in.json()["refresh_expires_in"]


def test_without_https_the_cookie_has_a_plain_name_and_is_sent_back(ada):
    page = Client(headers=OWN | {"Origin": f"http://{HOST}"})

    cookies = page.post("/auth-ms/auth/login", **login()).cookies

    assert sorted(cookies) == ["oauth_session", "refresh_token"]
    assert not cookies["refresh_token"]["secure"]
    assert cookies["refresh_token"]["path"] == REFRESH
    assert page.post(REFRESH).status_code == 200


def test_over_https_a_cookie_without_the_host_prefix_is_ignored(page, signed_in):
    victim = Client(headers=OWN)
    victim.cookies["refresh_token"] = signed_in.cookies[NAME].value

    assert victim.post(REFRESH).status_code == 401


def test_a_client_that_does_not_ask_for_the_cookie_gets_none(client, sign_in):
    answer = client.post("/auth-ms/auth/login", **login())

    assert answer.json()["refresh_token"]
    assert not answer.cookies


def test_the_cookie_is_exchanged_for_its_successor(page, signed_in):
    first = signed_in.cookies[NAME].value

    refreshed = page.post(REFRESH, secure=True)

    assert refreshed.status_code == 200
    assert refreshed.json()["refresh_token"] == ""
    assert refreshed.cookies[NAME].value not in ("", first)
    assert page.get("/auth-ms/auth/sessions", headers=bearer(refreshed.json())).status_code == 200


def test_the_cookie_is_ignored_without_the_header(page, signed_in):
    body = Client(headers={"Host": HOST, "Origin": f"https://{HOST}"})
    body.cookies[NAME] = signed_in.cookies[NAME].value

    assert body.post(REFRESH, **as_json({})).status_code == 400


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "",
        "https://evil.example",
        f"https://{HOST}.evil.example",
        f"https://{HOST}:8443",
        f"ftp://{HOST}",
        f"https://ada@{HOST}",
        "https://[",
    ],
)
@pytest.mark.parametrize("route", ["login", "login/mfa", "login/passkey", "refresh"])
def test_a_page_of_another_origin_is_rejected(signed_in, route, origin):
    headers = {name: value for name, value in (OWN | {"Origin": origin}).items() if value is not None}
    stranger = Client(headers=headers)
    stranger.cookies[NAME] = signed_in.cookies[NAME].value

    answer = stranger.post(f"/auth-ms/auth/{route}", **login())

    assert answer.status_code == 403
    assert answer.json()["title"] == "Foreign origin"
    assert not answer.cookies


@pytest.mark.parametrize("value", [None, "", "x" * 129, "nobody gave this out"])
def test_a_cookie_without_a_valid_token_is_rejected(page, value):
    if value is not None:
        page.cookies[NAME] = value

    assert page.post(REFRESH).status_code == 401


@pytest.mark.parametrize("route", ["logout", "logout-all"])
def test_logging_out_deletes_the_cookie(page, signed_in, route):
    answer = page.post(f"/auth-ms/auth/{route}", headers=bearer(signed_in.json()))

    assert answer.status_code == 204
    gone = answer.cookies[NAME]
    assert (gone.value, gone["path"], gone["max-age"], gone["secure"]) == ("", "/", 0, True)
    page.cookies[NAME] = signed_in.cookies[NAME].value
    assert page.post(REFRESH).status_code == 401


def test_a_foreign_origin_is_rejected_before_a_session_ends(signed_in):
    headers = OWN | bearer(signed_in.json()) | {"Origin": "https://evil.example"}

    assert Client(headers=headers).post("/auth-ms/auth/logout").status_code == 403
    assert Client(headers=bearer(signed_in.json())).get("/auth-ms/auth/sessions").status_code == 200


def test_the_second_factor_sets_the_cookie_too(page, signed_in):
    authorization = bearer(signed_in.json())
    secret = page.post("/auth-ms/auth/mfa/totp", headers=authorization).json()["secret"]
    code = as_json({"code": pyotp.TOTP(secret).now()})
    codes = page.post("/auth-ms/auth/mfa/totp/confirm", headers=authorization, **code).json()["recovery_codes"]
    pending = page.post("/auth-ms/auth/login", **login())
    body = {"mfa_token": pending.json()["mfa_token"], "method": "recovery_code", "code": codes[0]}

    completed = page.post("/auth-ms/auth/login/mfa", **as_json(body))

    assert not pending.cookies
    assert completed.json()["refresh_token"] == ""
    assert completed.cookies[NAME].value


def test_an_unknown_value_of_the_header_is_named(client, ada):
    answer = client.post("/auth-ms/auth/login", headers={"Token-Delivery": "pigeon"}, **login())

    assert answer.status_code == 400
    assert "Token-Delivery" in answer.json()["errors"]
