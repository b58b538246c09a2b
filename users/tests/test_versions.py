"""ETag, If-Match and If-None-Match (RFC 9110, §13)."""

import pytest

from chassis.outbox.models import OutboxMessage
from users.tests.builders import a_user, as_json, sign_up
from users_ms.accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada():
    return a_user()


@pytest.fixture
def itself(caller, ada):
    return caller(user_id=ada.id)


def test_every_representation_has_an_etag(client, itself, ada):
    created = client.post("/users-ms/users", **sign_up(email="grace@example.org"))
    read = itself.get(f"/users-ms/users/{ada.id}")
    current = itself.get("/users-ms/users/me")
    changed = itself.patch(f"/users-ms/users/{ada.id}", **as_json({"surname": "King"}))

    assert created.headers["ETag"] == f'"{created.json()["id"]}.1"'
    assert read.headers["ETag"] == current.headers["ETag"] == f'"{ada.id}.1"'
    assert changed.headers["ETag"] == f'"{ada.id}.2"'


def test_an_update_without_a_change_keeps_the_version(itself, ada):
    answer = itself.patch(f"/users-ms/users/{ada.id}", **as_json({"surname": "Lovelace"}))

    assert answer.headers["ETag"] == f'"{ada.id}.1"'


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("if_match", "status"),
    [
        ('"ID.1"', 200),
        ('"ID.7", "ID.1"', 200),
        ("*", 200),
        ('"ID.2"', 412),
        ('W/"ID.1"', 412),
        ("ID.1", 412),
        ('"1"', 412),
        ('"4711.1"', 412),
        ('"ID.one"', 412),
        ('"ID.99999999999999999999"', 412),
        ("", 412),
    ],
)
def test_an_update_requires_the_matching_version(itself, ada, method, if_match, status):
    whole = as_json({"name": "Eve", "surname": "King", "email": "eve@example.org"})

    headers = {"If-Match": if_match.replace("ID", str(ada.id))}
    answer = itself.generic(method, f"/users-ms/users/{ada.id}", **whole, headers=headers)

    assert answer.status_code == (204 if (method, status) == ("DELETE", 200) else status)
    if status == 412:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert User.objects.get().name == "Ada"
        assert OutboxMessage.objects.count() == 1  # from the sign-up


def test_an_unchanged_representation_is_304(itself, ada):
    path = f"/users-ms/users/{ada.id}"

    answer = itself.get(path, headers={"If-None-Match": f'"{ada.id}.1"'})

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["X-Request-ID"]
    assert itself.get(path, headers={"If-None-Match": f'"{ada.id}.2"'}).status_code == 200


def test_a_list_has_an_etag_too(admin, ada):
    tag = admin.get("/users-ms/users").headers["ETag"]

    assert admin.get("/users-ms/users", headers={"If-None-Match": tag}).status_code == 304


def test_the_etags_of_two_users_differ(itself, caller):
    """Two users of one browser share the path `/users/me`, and both have version 1."""
    grace = caller(user_id=a_user(email="grace@example.org", name="Grace").id)
    tag = itself.get("/users-ms/users/me").headers["ETag"]

    answer = grace.get("/users-ms/users/me", headers={"If-None-Match": tag})

    assert (answer.status_code, answer.json()["name"]) == (200, "Grace")
    assert answer.headers["Vary"] == "Authorization"
    assert answer.headers["Cache-Control"] == "private, no-cache"
