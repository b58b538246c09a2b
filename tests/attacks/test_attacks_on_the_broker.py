"""With the broker credentials of one process, an attacker can do only what that process does. Issue 21, line 10."""

import secrets
import uuid
from datetime import UTC, datetime

import pyotp
import pytest
from amqp.exceptions import AccessRefused
from kombu import Connection

from evidence.harness.accounts import tables_with
from evidence.harness.messages import publish
from evidence.harness.waiting import eventually

USERS = [
    "users-outbox-relay",
    "auth-outbox-relay",
    "auth-event-worker",
    "notification-ms",
    "notification-email-worker",
    "notification-sms-worker",
]
READERS = {"password_reset_email_notification": "notification-email-worker"}
READERS |= {"phone_verification_sms_notification": "notification-sms-worker"}
WRITERS = {"password_reset_requested_event": "auth-outbox-relay", "user_deleted_event": "users-outbox-relay"}


def is_rejected(stack, user, attempt):
    """True when the broker rejects `attempt(channel)` of that user."""
    with Connection(stack.broker_url_of(user), transport_options={"confirm_publish": True}) as connection:
        try:
            attempt(connection.channel())
        except AccessRefused:
            return True
    return False


@pytest.mark.parametrize("user", USERS)
def test_only_the_email_worker_can_read_tokens(stack, user):
    own = f"stolen.{secrets.token_hex(4)}"

    def tap(channel):
        channel.queue_declare(own, exclusive=True)
        channel.queue_bind(own, exchange="password_reset_requested_event")

    for queue, reader in READERS.items():
        if user != reader:
            assert is_rejected(stack, user, lambda channel, queue=queue: channel.basic_get(queue))
    assert is_rejected(stack, user, tap)


@pytest.mark.parametrize("user", USERS)
def test_only_an_events_own_relay_can_publish_it(stack, user):
    for exchange, relay in WRITERS.items():
        if user != relay:
            assert is_rejected(
                stack,
                user,
                lambda channel, exchange=exchange: channel.basic_publish_confirm(
                    channel.prepare_message("{}", content_encoding="utf-8"), exchange=exchange, routing_key=""
                ),
            )


def test_tokens_and_codes_are_encrypted_in_transit(stack):
    user = stack.verified_user()
    with Connection(stack.broker_url) as connection:  # as the administrator, who may read every queue
        channel = connection.channel()
        tap = channel.queue_declare(exclusive=True).queue
        channel.queue_bind(tap, exchange="password_reset_requested_event")
        stack.call("POST", "/auth-ms/auth/password/forgot", {"email": user["email"]}).raise_for_status()
        token = stack.mailed_token(eventually(lambda: stack.mails(user["email"], "Set a new password"))[0])
        body = eventually(lambda: (message := channel.basic_get(tap, no_ack=True)) and message.body)

    assert user["email"] in body
    assert token not in body
    assert '"sealed_token"' in body and '"token"' not in body
    assert tables_with("auth", token) == []


def forged_deletion(user):
    """The event that users-ms would publish for a deletion of that user."""
    moment = datetime.now(UTC).isoformat()
    contact = {name: user[name] for name in ("name", "email", "locale", "time_zone")}
    facts = {"user_id": user["id"], "email_verified": True, "phone": "", "deleted_at": moment}
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "/users-ms",
        "type": "user_deleted_event",
        "time": moment,
        "subject": f"users/{user['id']}",
        "data": contact | facts | {"actor_id": None, "address": None, "user_agent": ""},
    }


def test_a_forged_deletion_does_not_erase_an_existing_user(stack):
    user = stack.verified_user()
    token = stack.token_of(user["email"])
    secret = stack.call("POST", "/auth-ms/auth/mfa/totp", token=token).json()["secret"]
    body = {"code": pyotp.TOTP(secret).now()}
    stack.call("POST", "/auth-ms/auth/mfa/totp/confirm", body, token=token).raise_for_status()
    eventually(lambda: stack.mails(user["email"], "New sign-in"))
    event = forged_deletion(user)

    with Connection(stack.broker_url_of("users-outbox-relay")) as connection:
        publish(connection.channel(), event, exchange="user_deleted_event", task="user_deleted_event")

    with Connection(stack.broker_url) as connection:
        channel = connection.channel()

        def dead(queue):
            found = []
            while message := channel.basic_get(f"{queue}.dead", no_ack=True):
                found.append(str(message.body))
            return any(event["id"] in text for text in found)

        eventually(lambda: dead("user_deleted_session_revocation"))
        eventually(lambda: dead("user_deleted_data_erasure"))
    assert stack.call("GET", "/auth-ms/auth/mfa", token=token).json()["totp"] is True
    rows = stack.call("GET", "/notification-ms/notifications", token=token).json()["results"]
    mailed = [row for row in rows if row["medium"] == "email" and row["event"] != "user_deleted_event"]
    assert {row["recipient"] for row in mailed} == {user["email"]}
