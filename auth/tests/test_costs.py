"""What the most frequent requests cost: statements of the database, and calls of users-ms."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from auth.tests.builders import as_json, bearer, login

pytestmark = pytest.mark.django_db


@pytest.fixture
def cost(users_service):
    """`cost(request)`: the number of statements and of calls that the request makes, and its answer."""

    def measure(request):
        calls = len(users_service.calls)
        with CaptureQueriesContext(connection) as statements:
            answer = request()
        return len(statements), len(users_service.calls) - calls, answer

    return measure


def test_a_login_a_refresh_and_a_read_cost_no_more_than_they_did(client, ada, sign_in, cost):
    sign_in()  # so that there is a key

    statements, calls, answer = cost(lambda: client.post("/auth-ms/auth/login", **login()))
    pair = answer.json()
    assert (statements, calls) == (15, 1)

    refresh = as_json({"refresh_token": pair["refresh_token"]})
    assert cost(lambda: client.post("/auth-ms/auth/refresh", **refresh))[:2] == (11, 1)
    assert cost(lambda: client.get("/auth-ms/auth/sessions", headers=bearer(pair)))[:2] == (3, 0)
