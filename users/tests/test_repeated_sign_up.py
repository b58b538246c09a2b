"""`Idempotency-Key`: a repeated sign-up creates no second account."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from chassis.outbox.models import OutboxMessage
from users.tests.builders import PASSWORD, as_json, sign_up
from users_ms.accounts import services
from users_ms.accounts.events import Origin
from users_ms.accounts.models import SignUp, User
from users_ms.accounts.services import registration


def post(client, key="a-key-of-the-caller", **changes):
    return client.post("/users-ms/users", headers={"Idempotency-Key": key}, **sign_up(**changes))


@pytest.mark.django_db
def test_the_same_key_and_body_get_the_same_answer_after_a_change_too(client, caller):
    first = post(client)
    user_id = first.json()["id"]
    caller(user_id=user_id).patch(f"/users-ms/users/{user_id}", **as_json({"surname": "King"}))

    second = post(client)

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == first.json()
    assert second.headers["Location"] == first.headers["Location"]
    assert second.headers["ETag"] == first.headers["ETag"]
    assert User.objects.count() == OutboxMessage.objects.filter(exchange="new_user_event").count() == 1


@pytest.mark.django_db
def test_the_same_key_with_another_body_is_rejected(client):
    post(client)

    answer = post(client, email="grace@example.org")

    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert User.objects.count() == 1


@pytest.mark.django_db
def test_another_key_is_a_new_sign_up(client):
    post(client)

    assert post(client, key="another", email="grace@example.org").status_code == 201
    assert post(client, key="a-third").status_code == 409


@pytest.mark.django_db
def test_a_key_belongs_to_its_client(client):
    """A guessed key of another client neither returns its answer nor blocks it."""
    first = post(client)

    same_body = client.post(
        "/users-ms/users", headers={"Idempotency-Key": "a-key-of-the-caller"}, REMOTE_ADDR="192.0.2.1", **sign_up()
    )
    other_body = client.post(
        "/users-ms/users",
        headers={"Idempotency-Key": "a-key-of-the-caller"},
        REMOTE_ADDR="192.0.2.1",
        **sign_up(email="grace@example.org"),
    )

    assert (first.status_code, same_body.status_code, other_body.status_code) == (201, 409, 201)


@pytest.mark.django_db
def test_a_rejected_sign_up_does_not_use_up_the_key(client):
    post(client, key="first")

    assert post(client, key="second").status_code == 409
    assert post(client, key="second", email="grace@example.org").status_code == 201


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "caf\xe9"])
def test_an_invalid_key_is_rejected(client, key):
    answer = post(client, key=key)

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["Idempotency-Key"]
    assert not User.objects.exists()


@pytest.mark.django_db
def test_neither_the_key_nor_the_password_is_stored(client):
    post(client)

    stored = repr(SignUp.objects.values().get())
    assert "a-key-of-the-caller" not in stored
    assert PASSWORD not in stored
    assert User.objects.get().password_hash not in stored


@pytest.mark.django_db
def test_a_key_is_deleted_with_its_user_and_after_a_day(client):
    post(client, key="one")
    post(client, key="two", email="grace@example.org")
    services.delete_user(
        user_id=User.objects.get(name="Ada", email="ada@example.org").id, origin=Origin(), at=timezone.now()
    )
    assert SignUp.objects.count() == 1

    services.prune(at=timezone.now() + timedelta(hours=23))
    assert SignUp.objects.count() == 1
    services.prune(at=timezone.now() + timedelta(hours=25))
    assert not SignUp.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_concurrent_requests_with_one_key_create_one_account():
    def attempt(_):
        try:
            return post(Client())
        finally:
            connections.close_all()

    with ThreadPoolExecutor(5) as pool:  # fewer than the passwords that a process accepts at once
        answers = list(pool.map(attempt, range(5)))

    assert [answer.status_code for answer in answers] == [201] * 5
    assert len({answer.content for answer in answers}) == 1
    assert User.objects.count() == OutboxMessage.objects.count() == 1


@pytest.mark.django_db
def test_a_key_whose_user_was_created_and_deleted_concurrently_creates_no_user(client, monkeypatch):
    def create_and_delete_first(**_):
        raise registration._KeyUsedMeanwhile

    monkeypatch.setattr(registration, "create_user", create_and_delete_first)

    assert post(client).status_code == 422
