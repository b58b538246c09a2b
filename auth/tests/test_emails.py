"""Verifying email addresses, changing them and undoing changes; conftest.py imitates users-ms."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from auth.tests.actions import account_changed
from auth.tests.builders import as_json, bearer, login, mailed_token, recorded
from auth_ms import users_client
from auth_ms.accounts import tasks
from auth_ms.models import TOTP, AuditEvent, OneTimeToken, Passkey, RecoveryCode, Session
from chassis.outbox.models import OutboxMessage

pytestmark = pytest.mark.django_db
VERIFICATION, REQUESTED = "email_verification_requested_event", "email_change_requested_event"


def verify(client, token):
    return client.post("/auth-ms/auth/email/verify", **as_json({"token": token}))


def undo(client, token):
    return client.post("/auth-ms/auth/email/change/undo", **as_json({"token": token}))


def change_address(ada, new="ada@example.net", **changes):
    """Ada, or a thief in her account, requests another address from users-ms; returns the event."""
    ada["pending_email"] = new
    event = account_changed("email_change_requested", old_email=ada["email"], new_email=new, **changes)
    tasks.apply_account_change(event=event)
    return event


def test_an_address_is_verified_with_the_token_from_the_mail(client, ada, sign_in):
    ada["email_verified"] = False
    asked = client.post("/auth-ms/auth/email/verification", headers=bearer(sign_in()))
    assert asked.status_code == 202

    token = mailed_token("email_verification_requested_event")
    assert client.post("/auth-ms/auth/email/verify", **as_json({"token": token})).status_code == 200

    assert ada["email_verified"] is True
    assert client.post("/auth-ms/auth/email/verify", **as_json({"token": token})).status_code == 400


def test_a_token_for_a_former_address_is_rejected(client, ada, ada_client):
    ada["email_verified"] = False
    ada_client.post("/auth-ms/auth/email/verification")
    ada["email"] = "ada@example.net"

    token = mailed_token("email_verification_requested_event")
    assert client.post("/auth-ms/auth/email/verify", **as_json({"token": token})).status_code == 400
    assert ada["email_verified"] is False


def test_a_verified_address_gets_no_mail(ada_client):
    assert ada_client.post("/auth-ms/auth/email/verification").status_code == 409


def test_verification_mails_are_limited(ada, ada_client):
    ada["email_verified"] = False

    answers = [ada_client.post("/auth-ms/auth/email/verification").status_code for _ in range(7)]

    assert answers == [202] * 5 + [429] * 2


def test_verification_mails_to_one_address_leave_those_to_others(users_service, client, ada, ada_client):
    grace = users_service.add(id=8, email="grace@example.org")
    grace_client = Client(headers=bearer(client.post("/auth-ms/auth/login", **login(username=grace["email"])).json()))
    ada["email_verified"] = grace["email_verified"] = False
    for _ in range(6):
        last = ada_client.post("/auth-ms/auth/email/verification")

    assert last.status_code == 429
    assert grace_client.post("/auth-ms/auth/email/verification").status_code == 202


def test_the_answer_states_what_was_verified(client, ada, ada_client):
    ada["email_verified"] = False
    ada_client.post("/auth-ms/auth/email/verification")

    said = verify(client, mailed_token(VERIFICATION)).json()

    assert said == {"email": "ada@example.org", "email_changed": False, "first_proof": True}


def test_the_first_verification_ends_earlier_access(client, ada, sign_in):
    ada["email_verified"] = False
    pair = sign_in()
    client.post("/auth-ms/auth/email/verification", headers=bearer(pair))
    token = mailed_token(VERIFICATION)
    client.post("/auth-ms/auth/password/forgot", **as_json({"email": "ada@example.org"}))
    TOTP.objects.create(user_id=7, sealed_secret=b"x", confirmed_at=timezone.now())
    Passkey.objects.create(user_id=7, credential_id=b"x", public_key=b"", sign_count=0, name="of a stranger")
    RecoveryCode.objects.create(user_id=7, code_hash=b"x")

    assert verify(client, token).status_code == 200

    assert client.get("/auth-ms/auth/sessions", headers=bearer(pair)).status_code == 401
    for model in (TOTP, Passkey, RecoveryCode, OneTimeToken):
        assert not model.objects.exists()
    assert "access_token" in client.post("/auth-ms/auth/login", **login()).json()


def test_a_later_verification_keeps_sessions_and_factors(client, ada, ada_client):
    Passkey.objects.create(user_id=7, credential_id=b"x", public_key=b"", sign_count=0, name="Ada's")
    change_address(ada)

    said = verify(client, mailed_token(VERIFICATION)).json()

    assert said == {"email": "ada@example.net", "email_changed": True, "first_proof": False}
    assert ada_client.get("/auth-ms/auth/sessions").status_code == 200
    assert Passkey.objects.exists()


def test_a_change_is_verified_at_the_new_address_and_the_old_one_is_notified(ada):
    event = change_address(ada)
    tasks.apply_account_change(event=event)  # the event may arrive twice

    [asked], [sent] = recorded(VERIFICATION), recorded(REQUESTED)
    assert (asked["email"], asked["email_verified"], asked["phone"]) == ("ada@example.net", False, "")
    assert (sent["email"], sent["email_verified"], sent["new_email"]) == ("ada@example.org", True, "a***@example.net")
    assert (sent["address"], sent["user_agent"]) == ("192.0.2.7", "Firefox")
    life = OneTimeToken.objects.get(purpose="email_change_undo").expires_at - timezone.now()
    assert timedelta(hours=71) < life <= timedelta(hours=72)


def test_an_unverified_old_address_is_not_notified(ada):
    ada["email_verified"] = False

    change_address(ada)

    assert len(recorded(VERIFICATION)) == 1
    assert not recorded(REQUESTED)


@pytest.mark.parametrize("meanwhile", ["", "grace@example.net"])
def test_a_cancelled_or_replaced_change_sends_nothing(ada, meanwhile):
    ada["pending_email"] = meanwhile

    tasks.apply_account_change(event=account_changed("email_change_requested", new_email="ada@example.net"))

    assert not OutboxMessage.objects.exists()


def test_mails_to_a_new_address_are_limited_but_the_old_one_is_notified_of_each_change(ada):
    for spelling in ["victim@example.net", "Victim@example.net"] * 4:
        change_address(ada, spelling)

    assert len(recorded(VERIFICATION)) == 5
    assert len(recorded(REQUESTED)) == 8


def test_a_later_change_invalidates_the_token_of_an_earlier_one(client, ada):
    change_address(ada)
    first = mailed_token(VERIFICATION)
    change_address(ada, "ada@example.com")

    assert verify(client, first).status_code == 400
    assert verify(client, mailed_token(VERIFICATION)).json()["email"] == "ada@example.com"


def test_the_mail_to_a_pending_address_can_be_requested_again(client, ada, ada_client):
    change_address(ada)

    assert ada_client.post("/auth-ms/auth/email/verification").status_code == 202

    assert [event["email"] for event in recorded(VERIFICATION)] == ["ada@example.net"] * 2
    assert verify(client, mailed_token(VERIFICATION)).json()["email_changed"] is True


def test_a_completed_change_invalidates_tokens_except_the_undo_token(client, ada):
    client.post("/auth-ms/auth/password/forgot", **as_json({"email": "ada@example.org"}))
    change_address(ada)

    verify(client, mailed_token(VERIFICATION))

    assert [token.purpose for token in OneTimeToken.objects.all()] == ["email_change_undo"]


def test_a_pending_change_is_undone(client, ada, sign_in):
    pair = sign_in()
    change_address(ada)

    assert undo(client, mailed_token(REQUESTED)).status_code == 204

    assert (ada["email"], ada["pending_email"]) == ("ada@example.org", "")
    assert client.get("/auth-ms/auth/sessions", headers=bearer(pair)).status_code == 401
    assert verify(client, mailed_token(VERIFICATION)).status_code == 400
    assert client.post("/auth-ms/auth/login", **login()).status_code == 200


def test_an_account_takeover_is_undone(client, ada, sign_in):
    """A thief in Ada's session changes the address and adds a passkey; Ada has a passkey of her own."""
    thief, earlier = sign_in(), timezone.now() - timedelta(days=1)
    hers = {"name": "Ada's", "created_at": earlier}
    Passkey.objects.create(user_id=7, credential_id=b"hers", public_key=b"", sign_count=0, **hers)
    change_address(ada)
    verify(client, mailed_token(VERIFICATION))
    Passkey.objects.create(user_id=7, credential_id=b"his", public_key=b"", sign_count=0, name="of a thief")
    TOTP.objects.create(user_id=7, sealed_secret=b"x", confirmed_at=timezone.now())

    assert undo(client, mailed_token(REQUESTED)).status_code == 204

    assert ada["email"] == "ada@example.org"
    assert [passkey.name for passkey in Passkey.objects.all()] == ["Ada's"]
    assert not TOTP.objects.exists()
    assert client.get("/auth-ms/auth/sessions", headers=bearer(thief)).status_code == 401
    assert client.post("/auth-ms/auth/login", **login()).status_code == 401  # the thief may know the password

    undone = undone_event()
    for _ in range(2):
        tasks.apply_account_change(event=undone)
    [event] = recorded("password_reset_requested_event")
    assert event["email"] == "ada@example.org"
    body = as_json({"token": mailed_token(), "new_password": "a longer staple of horses"})
    assert client.post("/auth-ms/auth/password/reset", **body).status_code == 204


def test_the_event_of_an_undo_may_be_faster_than_its_request(client, ada, monkeypatch):
    change_address(ada)
    verify(client, mailed_token(VERIFICATION))
    undo_at_users_ms = users_client.undo_email_change

    def undo_and_handle_its_event(**given):
        undo_at_users_ms(**given)
        tasks.apply_account_change(event=undone_event())

    monkeypatch.setattr(users_client, "undo_email_change", undo_and_handle_its_event)
    assert undo(client, mailed_token(REQUESTED)).status_code == 204

    body = as_json({"token": mailed_token("password_reset_requested_event"), "new_password": "a staple of horses"})
    assert client.post("/auth-ms/auth/password/reset", **body).status_code == 204


UNDONE_ID = "6f1c9a52-3f0e-4c0a-9a55-0d9d2f3b7a99"


def undone_event():
    facts = {"old_email": "ada@example.net", "new_email": "ada@example.org"}
    return account_changed("email_change_undone", change_id=UNDONE_ID, **facts)


def test_an_undo_removes_factors_added_before_its_mail_was_sent(client, ada):
    requested_at = timezone.now() - timedelta(minutes=1)
    added = {"name": "of a thief", "created_at": requested_at + timedelta(seconds=1)}
    Passkey.objects.create(user_id=7, credential_id=b"his", public_key=b"", sign_count=0, **added)
    change_address(ada, changed_at=requested_at.isoformat())

    assert undo(client, mailed_token(REQUESTED)).status_code == 204
    assert not Passkey.objects.exists()


def test_an_undo_whose_answer_was_lost_is_completed_by_its_event(client, ada, sign_in):
    thief = sign_in()
    change_address(ada)
    verify(client, mailed_token(VERIFICATION))
    Passkey.objects.create(user_id=7, credential_id=b"his", public_key=b"", sign_count=0, name="of a thief")
    ada.update(email="ada@example.org", password_hash="!nothing", password_version=2)
    by_a_clock_ahead = undone_event() | {"time": (timezone.now() + timedelta(seconds=1)).isoformat()}
    by_a_clock_ahead["data"]["changed_at"] = by_a_clock_ahead["time"]

    for _ in range(2):
        tasks.apply_account_change(event=by_a_clock_ahead)

    assert client.get("/auth-ms/auth/sessions", headers=bearer(thief)).status_code == 401
    assert not Passkey.objects.exists()
    assert len(recorded("password_reset_requested_event")) == 1
    assert OneTimeToken.objects.filter(purpose="password_reset").exists()


def test_undoing_two_changes_restores_the_older_address_and_not_the_newer(client, ada):
    change_address(ada, "thief@example.net")
    first = mailed_token(REQUESTED)
    verify(client, mailed_token(VERIFICATION))
    OneTimeToken.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    change_address(ada, "thief@example.com")
    second = mailed_token(REQUESTED)
    verify(client, mailed_token(VERIFICATION))

    assert undo(client, first).status_code == 204
    assert ada["email"] == "ada@example.org"
    assert undo(client, second).status_code == 400
    assert ada["email"] == "ada@example.org"


def test_undoing_the_newer_of_two_changes_keeps_the_older_undo_token(client, ada):
    change_address(ada, "thief@example.net")
    first = mailed_token(REQUESTED)
    verify(client, mailed_token(VERIFICATION))
    OneTimeToken.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    change_address(ada, "thief@example.com")

    assert undo(client, mailed_token(REQUESTED)).status_code == 204
    assert undo(client, first).status_code == 204
    assert ada["email"] == "ada@example.org"


def test_an_undo_token_survives_a_new_password_and_works_once(client, ada, sign_in):
    pair = sign_in()
    change_address(ada)
    token = mailed_token(REQUESTED)
    body = as_json({"current_password": "correct horse battery", "new_password": "a longer staple of horses"})
    assert client.post("/auth-ms/auth/password/change", headers=bearer(pair), **body).status_code == 204

    assert undo(client, token).status_code == 204
    assert undo(client, token).status_code == 400


def test_an_undo_can_be_repeated_when_users_ms_is_back(client, ada, users_service):
    change_address(ada)
    token = mailed_token(REQUESTED)
    users_service.status = 500
    assert undo(client, token).status_code == 503
    users_service.status = 200

    assert undo(client, token).status_code == 204


@pytest.mark.parametrize("user", ["gone", "elsewhere"])
def test_an_impossible_undo_is_rejected(client, ada, users_service, user):
    change_address(ada)
    if user == "gone":
        users_service.users.clear()
    else:
        users_service.undo_email_change = lambda user, given: (409, {})

    assert undo(client, mailed_token(REQUESTED)).status_code == 400


def test_a_token_of_another_purpose_undoes_nothing(client, ada):
    change_address(ada)

    assert undo(client, mailed_token(VERIFICATION)).status_code == 400
    assert verify(client, mailed_token(REQUESTED)).status_code == 400


def test_no_address_is_recorded_in_full(ada):
    change_address(ada)

    written = AuditEvent.objects.get(event="email_change_requested")
    assert written.details == {"old_email": "a***@example.org", "new_email": "a***@example.net"}
    assert Session.objects.count() == 0
