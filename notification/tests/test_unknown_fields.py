"""Unknown fields of nested objects are named where they are; what was read may be sent back."""

import pytest

pytestmark = pytest.mark.django_db
PATH = "/notification-ms/preferences"
FIRST = {"event": "new_user_event", "medium": "email", "enabled": True}
SECOND = {"event": "user_login_event", "medium": "sms", "enabled": False}


def put(client, body):
    return client.put(PATH, body, content_type="application/json")


def test_an_unknown_field_of_a_nested_object_is_named_in_its_place(caller):
    answer = put(caller(user_id=7), {"preferences": [FIRST, SECOND | {"enable": False}]})

    assert answer.status_code == 400
    assert answer.json()["error_codes"] == {"preferences": [{}, {"enable": ["unknown_field"]}]}


def test_preferences_can_be_sent_back_as_they_were_read(caller):
    ada = caller(user_id=7)

    answer = put(ada, ada.get(PATH).json())

    assert answer.status_code == 200, answer.json()


@pytest.mark.parametrize("preferences", [7, None, {}, [7], [[]], [None]])
def test_what_is_no_list_of_objects_is_refused(caller, preferences):
    answer = put(caller(user_id=7), {"preferences": preferences, "more": 1})

    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"preferences", "more"}
