"""An unverified phone gets nothing but a limited number of codes."""

from datetime import timedelta

import pytest
from django.utils import timezone

from auth.tests.builders import as_json, decrypted, recorded
from auth_ms.models import AuditEvent, PhoneCode
from auth_ms.recovery.services import phones
from chassis.outbox.models import OutboxMessage

pytestmark = pytest.mark.django_db
REQUESTED = "phone_verification_requested_event"
PHONE = "+390612345678"


@pytest.fixture(autouse=True)
def phone(ada):
    ada["phone"] = PHONE


def ask(client):
    return client.post("/auth-ms/auth/phone/verification")


def verify(client, code):
    return client.post("/auth-ms/auth/phone/verify", **as_json({"code": code}))


def sent_code():
    return decrypted(recorded(REQUESTED)[-1]["sealed_code"], REQUESTED)


def a_wrong_code():
    return f"{(int(sent_code()) + 1) % 10**6:06}"


def test_a_phone_is_verified_with_the_code_sent_to_it(ada, ada_client):
    assert ask(ada_client).status_code == 202
    assert recorded(REQUESTED)[0]["phone"] == PHONE
    code = sent_code()
    assert len(code) == 6

    assert verify(ada_client, code).status_code == 204

    assert ada["phone_verified"] is True
    assert verify(ada_client, code).status_code == 400


def test_the_code_is_never_stored_or_published_in_plain_text(ada_client):
    ask(ada_client)

    code = sent_code()
    assert code.encode() not in bytes(PhoneCode.objects.get().code_hash)
    assert f'"{code}"' not in repr(list(OutboxMessage.objects.values()))


def test_an_event_carries_no_unverified_phone(client, ada, sign_in):
    sign_in()
    ada["phone_verified"] = True
    sign_in()

    assert [event["phone"] for event in recorded("user_login_event")] == ["", PHONE]


def test_a_wrong_code_is_rejected_and_recorded(ada, ada_client):
    ask(ada_client)

    answer = verify(ada_client, a_wrong_code())

    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"code"}
    assert ada["phone_verified"] is False
    assert AuditEvent.objects.get(event="phone_verified").outcome == "failure"


def test_a_code_allows_five_attempts(ada_client):
    ask(ada_client)
    for _ in range(5):
        assert verify(ada_client, a_wrong_code()).status_code == 400

    assert verify(ada_client, sent_code()).status_code == 400


def test_a_code_expires(ada_client):
    ask(ada_client)
    PhoneCode.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert verify(ada_client, sent_code()).status_code == 400


def test_a_new_code_invalidates_the_previous_one(ada_client):
    ask(ada_client)
    first = sent_code()
    ask(ada_client)

    assert first == sent_code() or verify(ada_client, first).status_code == 400
    assert verify(ada_client, sent_code()).status_code == 204


def test_a_code_is_valid_for_its_number_only(ada, ada_client):
    ask(ada_client)
    ada["phone"] = "+390687654321"

    assert verify(ada_client, sent_code()).status_code == 400
    assert ada["phone_verified"] is False


def test_a_code_is_not_used_up_while_users_ms_is_down(ada_client, users_service):
    ask(ada_client)
    original = users_service.verify_phone
    users_service.verify_phone = lambda user, given: (500, {})
    assert verify(ada_client, sent_code()).status_code == 503
    users_service.verify_phone = original

    assert verify(ada_client, sent_code()).status_code == 204


@pytest.mark.parametrize(
    ("changes", "status", "title"),
    [
        ({"email_verified": False}, 403, "Email not verified"),
        ({"phone": ""}, 409, "No phone number"),
        ({"phone_verified": True}, 409, "Phone already verified"),
    ],
)
def test_no_code_is_sent_without_an_unverified_phone_and_a_verified_address(ada, ada_client, changes, status, title):
    ada.update(changes)

    answer = ask(ada_client)

    assert (answer.status_code, answer.json()["title"]) == (status, title)
    assert not recorded(REQUESTED)


def test_codes_are_limited_per_account_and_hour_whatever_the_number(ada, ada_client):
    answers = []
    for number in range(4):
        ada["phone"] = f"+39061234567{number}"
        answers.append(ask(ada_client).status_code)

    assert answers == [202, 202, 202, 429]


def test_codes_are_limited_per_number_and_hour_whoever_requests_them(ada, ada_client, admin_client, users_service):
    users_service.find(user_id="1")["phone"] = PHONE

    assert [ask(client).status_code for client in [ada_client, admin_client] * 2] == [202, 202, 202, 429]


def test_codes_are_limited_per_account_and_day(ada, ada_client, settings):
    settings.PHONE_CODES_PER_HOUR, settings.PHONE_CODES_PER_DAY = 100, 4

    assert [ask(ada_client).status_code for _ in range(5)] == [202] * 4 + [429]


def test_expired_codes_are_deleted(ada_client):
    ask(ada_client)

    phones.prune(at=timezone.now())
    assert PhoneCode.objects.exists()
    phones.prune(at=timezone.now() + timedelta(minutes=11))
    assert not PhoneCode.objects.exists()
