import json

import pytest
from django.contrib.auth import hashers

from chassis.outbox.models import OutboxMessage
from users.tests.builders import PASSWORD, as_json, sign_up
from users_ms.accounts.models import User

pytestmark = pytest.mark.django_db


def test_sign_up_stores_and_returns_the_user(client):
    answer = client.post("/users-ms/users", **sign_up(phone="+39 06 1234 5678", locale="it", time_zone="Europe/Rome"))

    assert answer.status_code == 201
    user = User.objects.get()
    assert answer.headers["Location"] == f"/users-ms/users/{user.id}"
    assert answer.json()["id"] == user.id
    assert answer.json()["phone"] == "+390612345678"
    assert not answer.json()["is_admin"]


def test_the_password_is_stored_as_a_bcrypt_hash_and_never_returned(client):
    answer = client.post("/users-ms/users", **sign_up())

    stored = User.objects.get().password_hash
    assert hashers.check_password(PASSWORD, stored)
    assert stored.startswith("bcrypt_sha256$$2b$")
    assert "password" not in answer.content.decode()


def test_every_character_of_a_long_password_counts(client):
    long_password = "x1-" * 60
    client.post("/users-ms/users", **sign_up(password=long_password))

    stored = User.objects.get().password_hash

    assert hashers.check_password(long_password, stored)
    assert not hashers.check_password(long_password[:-1] + "!", stored)


def test_sign_up_records_the_event_in_the_same_transaction(client):
    client.post("/users-ms/users", **sign_up(locale="it"))

    message = OutboxMessage.objects.get()
    assert message.exchange == "new_user_event"
    assert message.published_at is None
    assert message.body["specversion"] == "1.0"
    assert message.body["data"]["email"] == "ada@example.org"
    assert message.body["data"]["locale"] == "it"
    assert "password" not in json.dumps(message.body)


def test_sign_up_rejects_an_email_that_differs_only_in_case(client):
    client.post("/users-ms/users", **sign_up(email="ada@example.org"))

    answer = client.post("/users-ms/users", **sign_up(email="ADA@example.org"))

    assert answer.status_code == 409
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert OutboxMessage.objects.count() == 1  # the rejected one published nothing


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", None),
        ("name", ""),
        ("name", 7),
        ("name", ["Ada"]),
        ("name", "a" * 101),
        ("name", "line\nbreak"),
        ("surname", None),
        ("email", None),
        ("email", "no-address"),
        ("email", "a@b@c.org"),
        ("email", "a" * 250 + "@example.org"),
        ("password", None),
        ("password", "short"),
        ("password", "password1"),
        ("password", "1234567890"),
        ("password", "a" * 201),
        ("password", 12345678901),
        ("phone", "12"),
        ("phone", "+39"),
        ("locale", "klingon!"),
        ("time_zone", "Mars/Olympus"),
        ("attributes", "text"),
        ("attributes", {"key": "x" * 4097}),
    ],
)
def test_sign_up_names_an_invalid_field(client, field, value):
    answer = client.post("/users-ms/users", **sign_up(**{field: value}))

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]
    assert not User.objects.exists()
    assert not OutboxMessage.objects.exists()


@pytest.mark.parametrize("value", ["Zoë 🎉", "مرحبا", "O'Brien", "<b>", "Robert'); DROP TABLE users;--"])
def test_names_of_any_script_are_stored_unchanged(client, value):
    answer = client.post("/users-ms/users", **sign_up(name=value))

    assert answer.status_code == 201
    assert answer.json()["name"] == value


@pytest.mark.parametrize("field", ["is_admin", "is_active", "email_verified", "id", "password_hash"])
def test_rights_cannot_be_set_at_sign_up(client, field):
    answer = client.post("/users-ms/users", **sign_up(**{field: True}))

    assert answer.status_code == 400
    assert answer.json()["error_codes"] == {field: ["unknown_field"]}
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"null", 400),
        (b'{"name": NaN}', 400),
        (b'{"name": "a", "name": "b"}', 400),
        (b'{"name": "\\u0000"}', 400),
        (b'{"attributes": {"a": "\\u0000"}}', 400),
        (b'{"name": "\\ud800"}', 400),
        (b"\xff\xfe", 400),
        (b'{"a":' * 30000 + b"1" + b"}" * 30000, 413),
        (b"[" * 20000 + b"]" * 20000, 400),
        (b'{"name": "' + b"a" * 65536 + b'"}', 413),
        (b'{"attributes": {"n": ' + b"9" * 5000 + b"}}", 400),
    ],
)
def test_a_body_that_is_not_a_json_object_is_rejected(client, body, status):
    answer = client.post("/users-ms/users", data=body, content_type="application/json")

    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert not User.objects.exists()


def test_a_form_is_rejected(client):
    answer = client.post("/users-ms/users", data={"name": "Ada"})

    assert answer.status_code == 415


def test_an_expired_token_does_not_prevent_a_sign_up(client, signing_keys):
    token = signing_keys.user_token(user_id=1, exp=1)

    answer = client.post("/users-ms/users", headers={"Authorization": f"Bearer {token}"}, **sign_up())

    assert answer.status_code == 201


def test_a_problem_document_has_title_field_and_request_id(client):
    answer = client.post("/users-ms/users", headers={"X-Request-ID": "from-the-caller-1"}, **as_json({}))

    assert answer.headers["X-Request-ID"] == "from-the-caller-1"
    assert answer.json() | {"errors": None, "error_codes": None} == {
        "type": "about:blank",
        "title": "Invalid input",
        "status": 400,
        "detail": "One or more fields are not valid.",
        "instance": "/users-ms/users",
        "code": "invalid_input",
        "request_id": "from-the-caller-1",
        "errors": None,
        "error_codes": None,
    }
    assert set(answer.json()["errors"]) == {"name", "surname", "email", "password"}
    assert answer.json()["error_codes"] == {name: ["required"] for name in answer.json()["errors"]}


def test_a_request_id_that_could_forge_a_log_line_is_replaced(client):
    answer = client.get("/users-ms/healthcheck", headers={"X-Request-ID": 'x" level="ERROR'})

    assert answer.headers["X-Request-ID"].isalnum()
