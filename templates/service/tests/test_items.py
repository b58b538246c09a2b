import pytest
from newservice_ms.items import services
from newservice_ms.items.models import Item

pytestmark = pytest.mark.django_db
PATH = "/newservice-ms/items"


def add(client, name):
    return client.post(PATH, {"name": name}, content_type="application/json")


def test_a_user_adds_an_item_and_lists_it(caller):
    answer = add(caller(user_id=1), "Tea")

    assert answer.status_code == 201
    assert caller(user_id=1).get(PATH).json()["results"] == [answer.json()]


def test_users_list_their_own_items_and_admins_list_all(caller):
    services.add_item(user_id=1, name="Tea")
    services.add_item(user_id=2, name="Coffee")

    assert [item["name"] for item in caller(user_id=1).get(PATH).json()["results"]] == ["Tea"]
    assert len(caller(user_id=3, admin=True).get(PATH).json()["results"]) == 2


def test_names_are_unique_per_user(caller):
    services.add_item(user_id=1, name="Tea")

    assert add(caller(user_id=2), "Tea").status_code == 201
    answer = add(caller(user_id=1), "Tea")

    assert answer.status_code == 409
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("name", [None, 7, "", "   ", "a\nb", "x" * 101])
def test_an_invalid_name_is_rejected(caller, name):
    assert add(caller(user_id=1), name).status_code == 400
    assert not Item.objects.exists()


def test_requests_without_a_token_are_rejected(client):
    assert client.get(PATH).status_code == 401
