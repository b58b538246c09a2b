"""What an operation does not know is an error that names it; what a client has read may be sent back."""

import pytest

from users.tests.builders import a_user, as_json, sign_up
from users_ms.accounts.models import User

pytestmark = pytest.mark.django_db


def test_all_unknown_fields_are_named_beside_the_other_errors(client):
    answer = client.post("/users-ms/users", **sign_up(email="ada", surename="Lovelace", admin=True))

    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_input"
    assert set(answer.json()["errors"]) == {"surename", "admin", "email"}
    assert answer.json()["errors"]["surename"] == ["Unknown field."]
    assert answer.json()["error_codes"]["surename"] == ["unknown_field"]
    assert not User.objects.exists()


def test_an_answer_names_few_of_very_many_unknown_fields(client):
    answer = client.post("/users-ms/users", **sign_up(**{f"field_{number}": 1 for number in range(3000)}))

    assert answer.status_code == 400
    assert len(answer.json()["errors"]) == 20


def test_a_representation_can_be_changed_and_sent_back(caller):
    user = a_user()
    itself, path = caller(user_id=user.id), f"/users-ms/users/{user.id}"

    answer = itself.put(path, **as_json(itself.get(path).json() | {"name": "Augusta"}))

    assert answer.status_code == 200
    assert answer.json()["name"] == "Augusta"


@pytest.mark.parametrize("field", ["surename", "password", "password_hash"])
def test_a_representation_takes_no_field_that_it_does_not_show(caller, field):
    user = a_user()
    itself, path = caller(user_id=user.id), f"/users-ms/users/{user.id}"

    replaced = itself.put(path, **as_json(itself.get(path).json() | {"name": "Augusta", field: "x"}))
    changed = itself.patch(path, **as_json({"name": "Augusta", field: "x"}))

    assert replaced.json()["error_codes"] == changed.json()["error_codes"] == {field: ["unknown_field"]}
    assert User.objects.get().name == user.name


def test_a_change_takes_no_field_that_nobody_can_change(caller):
    user = a_user()

    answer = caller(user_id=user.id).patch(f"/users-ms/users/{user.id}", **as_json({"email_verified": True}))

    assert answer.json()["error_codes"] == {"email_verified": ["unknown_field"]}


def test_a_misspelt_filter_is_an_error_and_does_not_find_everything(admin):
    answer = admin.get("/users-ms/users?e-mail=ada@example.org&limit=2")

    assert answer.status_code == 400
    assert answer.json()["error_codes"] == {"e-mail": ["unknown_parameter"]}
    assert admin.get("/users-ms/users?email=ada@example.org&limit=2&cursor=after-1").status_code == 200


def test_a_service_of_a_newer_version_may_send_more(auth_ms):
    user = a_user()
    path = f"/users-ms/internal/users/{user.id}/password"

    read = auth_ms.get(f"/users-ms/internal/credentials?user_id={user.id}&newer=1")
    changed = auth_ms.put(path, **as_json({"password": "short", "newer": 1}))

    assert read.status_code == 200
    assert changed.status_code == 400
    assert "newer" not in changed.json()["errors"]
