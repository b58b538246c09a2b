"""SIGN_UP: anyone, addresses of certain domains, or only admins and imports create accounts."""

import pytest

from chassis.outbox.models import OutboxMessage
from users.tests.builders import a_user, an_admin, sign_up
from users_ms.accounts import passwords
from users_ms.accounts.models import User

pytestmark = pytest.mark.django_db


def post(client, **changes):
    return client.post("/users-ms/users", **sign_up(**changes))


def refused(answer):
    """The code of a refusal."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (403, "application/problem+json")
    return answer.json()["code"]


@pytest.mark.parametrize("policy", ["open", "domain", "off"])
def test_pages_can_ask_for_the_policy(client, settings, policy):
    settings.SIGN_UP, settings.SIGN_UP_DOMAINS = policy, {"example.org"}

    assert client.get("/users-ms/sign-up").json() == {"policy": policy}  # and not for the domains


@pytest.mark.parametrize("conceals", [True, False])
def test_off_nobody_signs_up_and_no_account_is_disclosed(client, settings, monkeypatch, conceals):
    settings.SIGN_UP, settings.CONCEAL_ACCOUNTS = "off", conceals
    a_user()
    monkeypatch.setattr(passwords, "hash_password", None)  # nothing is hashed: both take the same work

    known, new = post(client), post(client, email="grace@example.org")

    assert refused(known) == refused(new) == "sign_up_not_allowed"
    assert known.json() | {"request_id": ""} == new.json() | {"request_id": ""}
    assert User.objects.count() == OutboxMessage.objects.count() == 1


@pytest.mark.parametrize(
    ("email", "status"),
    [
        ("ada@example.org", 201),
        ("ada@EXAMPLE.org", 201),
        ("ada@b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example.net", 201),
        ("ada@xn--bcher-kva.example.net", 201),
        ("ada@sub.example.org", 403),
        ("ada@notexample.org", 403),
        ("ada@example.org.evil.net", 403),
        ("example.org@evil.net", 403),
    ],
)
def test_domain_only_addresses_of_these_very_domains_sign_up(client, settings, email, status):
    settings.SIGN_UP, settings.SIGN_UP_DOMAINS = "domain", {"example.org", "xn--bcher-kva.example.net"}

    answer = post(client, email=email)

    assert answer.status_code == status, answer.content
    if status == 403:
        assert refused(answer) == "sign_up_domain_not_allowed"
        assert list(answer.json()["errors"]) == ["email"]
        assert not User.objects.exists()


def test_domain_the_answer_to_other_domains_discloses_no_account(client, settings):
    settings.SIGN_UP, settings.SIGN_UP_DOMAINS = "domain", {"example.com"}
    a_user()

    known, new = post(client), post(client, email="grace@example.org")

    assert known.json() | {"request_id": ""} == new.json() | {"request_id": ""}


@pytest.mark.parametrize("policy", ["domain", "off"])
def test_admins_always_create_users(admin, settings, policy):
    settings.SIGN_UP, settings.CONCEAL_ACCOUNTS, settings.SIGN_UPS_PER_HOUR = policy, True, 1

    answers = [post(admin), post(admin, email="grace@example.org"), post(admin)]

    assert [answer.status_code for answer in answers] == [201, 201, 409]


@pytest.mark.parametrize("who", ["a user", "a former admin", "an admin whose token has expired"])
def test_only_the_token_of_a_current_admin_lifts_the_policy(caller, client, signing_keys, settings, who):
    settings.SIGN_UP = "off"
    if who == "a user":
        client = caller(user_id=a_user(email="eve@example.org").id)
    elif who == "a former admin":
        client = caller(user_id=an_admin(is_admin=False).id, admin=True)
    else:
        token = signing_keys.user_token(user_id=an_admin().id, scope="admin", exp=1)
        client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {token}"

    assert refused(post(client)) == "sign_up_not_allowed"
    assert not User.objects.filter(email="ada@example.org").exists()


def test_a_key_of_an_earlier_sign_up_does_not_lift_the_policy(client, settings):
    body, headers = sign_up(), {"Idempotency-Key": "one"}
    client.post("/users-ms/users", headers=headers, **body)
    settings.SIGN_UP = "off"

    assert refused(client.post("/users-ms/users", headers=headers, **body)) == "sign_up_not_allowed"
