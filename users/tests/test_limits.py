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


def test_sign_ups_tell_what_is_left_of_the_limit_of_the_caller(client, admin, settings):
    settings.SIGN_UPS_PER_HOUR = 2

    answers = [post(client, number) for number in range(3)]
    by_admin = admin.post("/users-ms/users", **sign_up(email="new@example.org"))

    assert {answer["RateLimit-Policy"] for answer in answers} == {'"sign_up";q=2;w=3600'}
    assert [answer["RateLimit"].partition(";t=")[0] for answer in answers] == [
        '"sign_up";r=1',
        '"sign_up";r=0',
        '"sign_up";r=0',
    ]
    assert answers[0]["RateLimit"].endswith(";t=1800")
    assert answers[2]["RateLimit"].endswith(f";t={answers[2]['Retry-After']}")
    assert "RateLimit" not in by_admin  # whom the limit does not count


def test_a_repeated_sign_up_shows_the_same_headers_as_a_new_one(client, settings):
    settings.CONCEAL_ACCOUNTS, settings.SIGN_UPS_PER_HOUR = True, 20

    new, repeated = post(client, 1, REMOTE_ADDR="192.0.2.1"), post(client, 1, REMOTE_ADDR="192.0.2.2")

    assert new["RateLimit"] == repeated["RateLimit"]
    assert new["RateLimit-Policy"] == repeated["RateLimit-Policy"] == '"sign_up";q=20;w=3600'


def test_a_forged_header_does_not_change_the_client_address(client, settings):
    settings.SIGN_UPS_PER_HOUR, settings.TRUSTED_PROXIES = 1, []

    answers = [post(client, number, headers={"X-Forwarded-For": f"198.51.100.{number}"}) for number in range(2)]

    assert [answer.status_code for answer in answers] == [201, 429]


def test_clients_behind_a_trusted_proxy_are_limited_separately(client, settings):
    settings.SIGN_UPS_PER_HOUR, settings.TRUSTED_PROXIES = 1, ["127.0.0.1"]

    answers = [post(client, number, headers={"X-Forwarded-For": f"198.51.100.{number}"}) for number in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
