"""The workers accept every event of docs/asyncapi.yaml, including additional members of newer producers."""

import pytest

from chassis.messaging.events import CloudEvent
from chassis.testing import contract
from notification.tests.builders import encrypted
from notification_ms import topology
from notification_ms.deliveries import event_texts, services
from notification_ms.deliveries.media import Email, TextMessage
from notification_ms.deliveries.models import ErasedUser

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", sorted(event_texts.TEXTS))
def test_every_documented_event_becomes_a_message(mail_server, settings, name):
    event = contract.examples()[name]
    contract.check(event)
    secrets = {f"sealed_{secret}": encrypted("opaque", name) for secret in ("token", "code")}
    data = {member: secrets.get(member, value) for member, value in event["data"].items()} | {"email_verified": True}
    medium = (
        Email() if name in {each.event_type for each in topology.NOTICES if each.medium == "email"} else TextMessage()
    )
    settings.SMS_URL = (
        f"mailto://127.0.0.1:{mail_server.port}/?from=sms@tessera.example&to=sms{{phone}}@tessera.example&mode=insecure"
    )

    delivery = services.notify(
        event=CloudEvent.parse(event | {"a_new_member": 1, "data": data}, expected_type=name), medium=medium
    )

    assert delivery.status == "sent"
    assert mail_server.mails[0]["To"].startswith("ada@example.org" if medium.name == "email" else "sms+39")


def test_every_documented_change_has_a_text():
    for name, texts in event_texts.TEXTS.items():
        data = contract.DOCUMENT["components"]["schemas"][name]["allOf"][1]["properties"]["data"]["properties"]
        assert texts.changes == frozenset(data.get("change", {}).get("enum", []))


def test_the_erasure_accepts_the_documented_event(settings):
    event = CloudEvent.parse(contract.examples()["user_deleted_event"], expected_type="user_deleted_event")

    services.erase_user(user_id=event.data["user_id"], at=event.time)

    assert ErasedUser.objects.get().user_id == 1


def test_queues_and_their_documentation_match():
    described = {queue for queues in contract.receivers().values() for queue in queues}
    mine = {subscription.queue for subscription in topology.SUBSCRIPTIONS}
    of_auth_ms = {
        "new_user_email_verification",
        "user_deleted_session_revocation",
        "password_changed_session_revocation",
        "account_changed_audit",
        "organisation_changed_audit",
        "membership_changed_audit",
        "invitation_changed_audit",
        "users_imported_audit",
        "client_logout_delivery",
    }

    assert described == mine | of_auth_ms
    for subscription in topology.SUBSCRIPTIONS:
        assert subscription.queue in contract.receivers()[subscription.event_type]
