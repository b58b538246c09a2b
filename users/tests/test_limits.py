import pytest

from users.tests.builders import sign_up
from users_ms.accounts.models import User

pytestmark = pytest.mark.django_db


def post(client, number, **extra):
    return client.post("/users-ms/users", **sign_up(email=f"u{number}@example.org"), **extra)


def test_sign_ups_are_limited_per_client_address(client, settings):
    settings.SIGN_UPS_PER_HOUR = 2

    answers = [post(client, number, REMOTE_ADDR="192.0.2.1") for number in range(3)]
    elsewhere = post(client, 9, REMOTE_ADDR="192.0.2.2")

    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert int(answers[2].headers["Retry-After"]) > 0
    assert answers[2].headers["Content-Type"] == "application/problem+json"
    assert elsewhere.status_code == 201
    assert User.objects.count() == 3


def test_a_forged_header_does_not_change_the_client_address(client, settings):
    settings.SIGN_UPS_PER_HOUR, settings.TRUSTED_PROXIES = 1, []

    answers = [post(client, number, headers={"X-Forwarded-For": f"198.51.100.{number}"}) for number in range(2)]

    assert [answer.status_code for answer in answers] == [201, 429]


def test_clients_behind_a_trusted_proxy_are_limited_separately(client, settings):
    settings.SIGN_UPS_PER_HOUR, settings.TRUSTED_PROXIES = 1, ["127.0.0.1"]

    answers = [post(client, number, headers={"X-Forwarded-For": f"198.51.100.{number}"}) for number in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
