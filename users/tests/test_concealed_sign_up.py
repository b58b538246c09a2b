"""With CONCEAL_ACCOUNTS, sign-up gives every address the same answer; only its owner is notified."""

from datetime import timedelta

import pytest
from django.utils import timezone

from chassis.outbox.models import OutboxMessage
from users.tests.builders import a_user, sign_up
from users_ms.accounts import passwords
from users_ms.accounts.models import FormerAddress, User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def concealed(settings):
    settings.CONCEAL_ACCOUNTS = True


def post(client, key=None, **changes):
    headers = {"Idempotency-Key": key} if key else {}
    return client.post("/users-ms/users", headers=headers, **sign_up(**changes))


def repeated():
    return [row.body["data"] for row in OutboxMessage.objects.filter(exchange="sign_up_repeated_event")]


def seen(answer):
    headers = {name: value for name, value in answer.headers.items() if name != "X-Request-ID"}
    return answer.status_code, answer.content, headers


def test_known_and_unknown_addresses_get_the_same_answer(client):
    known = a_user()

    answers = [post(client, email="ADA@example.org"), post(client, email="grace@example.org")]

    assert seen(answers[0]) == seen(answers[1])
    assert (answers[0].status_code, answers[0].json()) == (202, {"status": "accepted"})
    assert User.objects.filter(email="grace@example.org", name="Ada").exists()
    stored = User.objects.get(id=known.id)
    assert (stored.email, stored.password_hash) == ("ada@example.org", known.password_hash)


def test_the_owner_is_notified_once_an_hour(client):
    owner = a_user(name="Augusta")

    for _ in range(3):
        post(client)

    [event] = repeated()
    assert (event["user_id"], event["name"], event["email"]) == (owner.id, "Augusta", "ada@example.org")
    assert event["address"] == "127.0.0.1"


def test_known_and_unknown_addresses_take_the_same_work(client, monkeypatch):
    a_user()
    hashed = []
    real = passwords.hash_password
    monkeypatch.setattr(passwords, "hash_password", lambda password: hashed.append(password) or real(password))

    post(client)
    post(client, email="grace@example.org")

    assert len(hashed) == 2


def test_an_idempotency_key_discloses_no_account(client):
    a_user()

    known = [post(client, "one"), post(client, "one"), post(client, "one", name="Eve")]
    unknown = [
        post(client, "two", email="grace@example.org"),
        post(client, "two", email="grace@example.org"),
        post(client, "two", email="grace@example.org", name="Eve"),
    ]

    assert [answer.status_code for answer in known] == [answer.status_code for answer in unknown] == [202, 202, 422]
    assert len(repeated()) == 1
    assert User.objects.count() == 2


def test_a_key_of_a_known_address_is_rejected_once_concealment_is_off(client, settings):
    a_user()
    post(client, "one")
    settings.CONCEAL_ACCOUNTS = False

    assert post(client, "one").status_code == 409


def test_invalid_fields_are_still_named(client):
    a_user()

    assert post(client, email="no-address").status_code == 400
    assert post(client, password="short").status_code == 400


def test_without_concealment_a_known_address_is_rejected(client, settings):
    settings.CONCEAL_ACCOUNTS = False
    a_user()

    assert post(client).status_code == 409
    assert repeated() == []  # the answer itself discloses the account


def test_a_reserved_address_gets_the_same_answer_and_creates_no_account(client):
    user = a_user(email="ada@example.net")
    until = timezone.now() + timedelta(hours=1)
    FormerAddress.objects.create(
        user=user, email="ada@example.org", email_canonical="ada@example.org", reserved_until=until
    )

    answer = post(client)

    assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
    assert list(User.objects.values_list("email", flat=True)) == ["ada@example.net"]
    assert OutboxMessage.objects.count() == 1  # from Ada's own sign-up
