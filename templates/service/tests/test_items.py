import pytest
from newservice.tests.builders import an_item, new_item
from newservice_ms.items.models import Item

pytestmark = pytest.mark.django_db


def test_a_user_adds_an_item_and_reads_it(caller):
    answer = caller(user_id=1).post("/newservice-ms/items", **new_item(name="Tea"))

    assert answer.status_code == 201
    read = caller(user_id=1).get(answer.headers["Location"])
    assert read.json() == answer.json()
    assert (read.json()["user_id"], read.json()["name"]) == (1, "Tea")


def test_users_list_their_own_items_and_admins_list_all(caller):
    an_item(user_id=1, name="Tea")
    an_item(user_id=2, name="Coffee")

    assert [item["name"] for item in caller(user_id=1).get("/newservice-ms/items").json()["results"]] == ["Tea"]
    assert len(caller(user_id=3, admin=True).get("/newservice-ms/items").json()["results"]) == 2


def test_items_of_other_users_are_not_found(caller):
    item = an_item(user_id=1)

    assert caller(user_id=2).get(f"/newservice-ms/items/{item.id}").status_code == 404
    assert caller(user_id=2).delete(f"/newservice-ms/items/{item.id}").status_code == 404
    assert Item.objects.exists()


def test_a_user_removes_an_item(caller):
    item = an_item(user_id=1)

    assert caller(user_id=1).delete(f"/newservice-ms/items/{item.id}").status_code == 204
    assert not Item.objects.exists()


def test_names_are_unique_per_user(caller):
    an_item(user_id=1, name="Tea")

    assert caller(user_id=2).post("/newservice-ms/items", **new_item(name="Tea")).status_code == 201
    answer = caller(user_id=1).post("/newservice-ms/items", **new_item(name="Tea"))

    assert answer.status_code == 409
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("name", [None, 7, True, [], {}, "", "   ", "a\nb", "a\0b", "x" * 101])
def test_an_invalid_name_is_rejected(caller, name):
    answer = caller(user_id=1).post("/newservice-ms/items", **new_item(name=name))

    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert not Item.objects.exists()


@pytest.mark.parametrize("method", ["get", "post"])
def test_requests_without_a_token_are_rejected(client, method):
    assert getattr(client, method)("/newservice-ms/items").status_code == 401
