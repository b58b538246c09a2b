"""Only the user itself or an admin reads or changes a user; only the internal route returns a password hash."""

import pytest

from users.tests.builders import a_user, as_json
from users_ms.accounts.models import User

pytestmark = pytest.mark.django_db


def test_a_user_reads_its_own_profile(caller):
    user = a_user()

    by_id = caller(user_id=user.id).get(f"/users-ms/users/{user.id}")
    by_token = caller(user_id=user.id).get("/users-ms/users/me")

    assert by_id.status_code == by_token.status_code == 200
    assert by_id.json() == by_token.json()
    assert by_id.json()["email"] == "ada@example.org"


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_another_users_id_is_not_found_like_an_unknown_one(caller, method):
    user = a_user()
    stranger = caller(user_id=a_user(email="eve@example.org").id)

    others = stranger.generic(method, f"/users-ms/users/{user.id}", **as_json({"name": "Eve"}))
    nobodys = stranger.generic(method, "/users-ms/users/4711", **as_json({"name": "Eve"}))

    assert others.status_code == nobodys.status_code == 404
    assert others.json()["detail"] == nobodys.json()["detail"]
    assert User.objects.get(id=user.id).name == "Ada"


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_without_a_token_nothing_is_read_or_changed(client, method):
    user = a_user()

    answer = client.generic(method, f"/users-ms/users/{user.id}", **as_json({"name": "Eve"}))

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert User.objects.get().name == "Ada"


def test_an_admin_reads_changes_and_deletes_any_user(admin):
    user = a_user()

    assert admin.get(f"/users-ms/users/{user.id}").status_code == 200
    assert admin.patch(f"/users-ms/users/{user.id}", **as_json({"name": "Augusta"})).json()["name"] == "Augusta"
    assert admin.delete(f"/users-ms/users/{user.id}").status_code == 204
    assert not User.objects.filter(id=user.id).exists()


@pytest.mark.parametrize("is_admin", [False, True])
def test_only_admins_list_users(caller, is_admin):
    user = a_user(is_admin=is_admin)

    answer = caller(user_id=user.id, admin=is_admin).get("/users-ms/users")

    assert answer.status_code == (200 if is_admin else 403)


def test_a_user_cannot_make_itself_an_admin(caller):
    user = a_user()

    answer = caller(user_id=user.id).patch(f"/users-ms/users/{user.id}", **as_json({"is_admin": True, "name": "Eve"}))

    assert answer.json()["is_admin"] is False
    assert not User.objects.get().is_admin


def test_the_internal_route_returns_the_password_hash_to_auth_ms(auth_ms):
    user = a_user()

    answer = auth_ms.get("/users-ms/internal/credentials", {"email": "ADA@example.org"})

    assert answer.status_code == 200
    assert answer.json()["password_hash"] == user.password_hash
    assert answer.json()["id"] == user.id


def test_the_internal_route_does_not_find_an_unknown_user(auth_ms):
    assert auth_ms.get("/users-ms/internal/credentials", {"email": "nobody@example.org"}).status_code == 404
    assert auth_ms.get("/users-ms/internal/credentials").status_code == 400


def test_the_internal_route_rejects_users_and_admins(caller, client):
    user = a_user()

    for someone in (client, caller(user_id=user.id), caller(user_id=user.id, admin=True)):
        answer = someone.get("/users-ms/internal/credentials", {"email": "ada@example.org"})

        assert answer.status_code == 401
        assert user.password_hash not in answer.content.decode()


def test_a_service_token_for_another_service_is_rejected(client, signing_keys):
    token = signing_keys.service_token(audience="notification-ms")

    answer = client.get(
        "/users-ms/internal/credentials", {"email": "a@b.org"}, headers={"Authorization": f"Bearer {token}"}
    )

    assert answer.status_code == 401


def test_a_service_token_is_not_a_user_token(auth_ms):
    user = a_user()

    assert auth_ms.get(f"/users-ms/users/{user.id}").status_code == 401


@pytest.mark.parametrize("identifier", ["0", "-1", "9223372036854775808", "abc", "1.5", "%00"])
def test_an_impossible_id_is_not_found(admin, identifier):
    answer = admin.get(f"/users-ms/users/{identifier}")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
