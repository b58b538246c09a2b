"""The cost of the most frequent requests: database statements and calls to users-ms."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from auth.tests import oauth
from auth.tests.builders import as_json, bearer, login

pytestmark = pytest.mark.django_db


@pytest.fixture
def cost(users_service):
    """`cost(request)`: the number of statements and calls that the request makes, and its answer."""

    def measure(request):
        calls = len(users_service.calls)
        with CaptureQueriesContext(connection) as statements:
            answer = request()
        return len(statements), len(users_service.calls) - calls, answer

    return measure


def test_login_refresh_and_a_read_keep_their_number_of_statements_and_calls(client, ada, sign_in, cost):
    sign_in()  # creates the signing key

    statements, calls, answer = cost(lambda: client.post("/auth-ms/auth/login", **login()))
    pair = answer.json()
    assert (statements, calls) == (14, 1)

    refresh = as_json({"refresh_token": pair["refresh_token"]})
    assert cost(lambda: client.post("/auth-ms/auth/refresh", **refresh))[:2] == (10, 1)
    assert cost(lambda: client.get("/auth-ms/auth/sessions", headers=bearer(pair)))[:2] == (3, 0)


def test_a_request_with_a_personal_access_token_costs_one_statement_and_one_call_more(ada_client, cost):
    body = {"name": "a job", "scopes": ["read"], "expires_in_days": 7}
    made = ada_client.post("/auth-ms/auth/personal-tokens", **as_json(body)).json()
    header = {"Authorization": f"Bearer {made['token']}"}

    first = cost(lambda: Client().get("/auth-ms/auth/sessions", headers=header))
    later = cost(lambda: Client().get("/auth-ms/auth/sessions", headers=header))
    facts = cost(lambda: Client().get("/auth-ms/internal/personal-token", headers=header))

    assert first[:2] == (5, 1)  # the use is noted
    assert later[:2] == (4, 1)  # (3, 0) with an access token
    assert facts[:2] == (2, 0)


def test_the_endpoints_for_clients_keep_their_number_of_statements_and_calls(app, browser, cost):
    tokens = app.redeem(app.code(browser, scope="openid email")).json()
    header = {"Authorization": f"Bearer {tokens['access_token']}"}

    assert cost(lambda: app.post("token", grant_type="client_credentials"))[:2] == (4, 0)
    assert cost(lambda: app.post("introspect", token=tokens["access_token"]))[:2] == (6, 1)
    assert cost(lambda: browser.get("/auth-ms/oauth/userinfo", headers=header))[:2] == (4, 1)
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert cost(lambda: app.post("token", **refresh))[:2] == (14, 1)


def test_a_sign_in_in_the_browser_asks_for_providers_only_where_there_are_some(app, ada, cost, reachable, fake):
    def sign_in():
        browser = Client()
        page = cost(lambda: app.authorize(browser))
        return page[0], cost(lambda: oauth.sign_in(browser, page[2]))[0]

    sign_in()  # creates the signing key
    without, provider = sign_in(), fake.register(enabled=False)
    disabled = sign_in()
    type(provider).objects.update(enabled=True)
    enabled = sign_in()

    assert without == disabled == (3, 22)
    assert (enabled[0] - 1, enabled[1]) == without
