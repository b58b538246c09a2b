"""Delivery over a real SMTP connection: sent once, retried, abandoned."""

import socket
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
from django.db import connection
from django.utils import timezone

from chassis.messaging.events import CloudEvent
from chassis.testing.waiting import eventually
from notification.tests.builders import a_delivery, login_event
from notification.tests.meanwhile import SlowMail, is_waiting_for_a_lock
from notification_ms.deliveries import services
from notification_ms.deliveries.failures import PermanentFailure, TransientFailure
from notification_ms.deliveries.media import Email, TextMessage
from notification_ms.deliveries.models import Delivery

pytestmark = pytest.mark.django_db


def test_a_redelivered_event_is_sent_once(mail_server):
    event = login_event()

    services.notify(event=event, medium=Email())
    services.notify(event=CloudEvent.parse(event.as_dict(), expected_type=event.type), medium=Email())

    assert len(mail_server.mails) == 1
    assert Delivery.objects.get().sent_at is not None


@pytest.mark.django_db(transaction=True)
def test_an_event_redelivered_while_it_is_being_sent_waits_and_is_not_sent_again(mail_server):
    event, slow = login_event(), SlowMail()

    def notify(medium):
        try:
            return services.notify(event=event, medium=medium).status
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as workers:
        first = workers.submit(notify, slow)
        assert slow.is_sending.wait(10)
        second = workers.submit(notify, Email())
        eventually(is_waiting_for_a_lock)
        slow.may_send.set()
        outcomes = [first.result(10), second.result(10)]

    assert outcomes == ["sent", "sent"]
    assert len(mail_server.mails) == 1


@pytest.mark.django_db(transaction=True)
def test_a_database_restart_while_an_email_is_sent_does_not_repeat_the_email(mail_server):
    class MailDuringRestart(Email):
        def send(self, *arguments, **options):
            super().send(*arguments, **options)
            end_connection(connection.connection.info.backend_pid)

    delivery = services.notify(event=login_event(), medium=MailDuringRestart())

    assert delivery.status == "sent"
    assert Delivery.objects.get().status == "sent"
    assert len(mail_server.mails) == 1


def end_connection(pid):
    """Ends a session, as a restart of PostgreSQL does."""
    with psycopg2.connect(**connection.get_connection_params()) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def test_every_attempt_has_the_same_message_id(mail_server):
    event = login_event()
    services.notify(event=event, medium=Email())
    Delivery.objects.update(status="pending")  # as after a crash between sending and recording

    services.notify(event=event, medium=Email())

    first, second = (mail["Message-ID"] for mail in mail_server.mails)
    assert first == second == f"<{event.id.hex}.email@tessera.invalid>"


@pytest.mark.parametrize("reply", ["451 try later", "421 closing", "452 full"])
def test_a_4yz_reply_is_transient(mail_server, reply):
    mail_server.replies = [reply]
    event = login_event()

    with pytest.raises(TransientFailure, match=reply[:3]):
        services.notify(event=event, medium=Email())

    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.attempts) == ("pending", 1)
    assert services.notify(event=event, medium=Email()).status == "sent"


def test_a_5yz_reply_is_permanent_and_its_reason_is_stored(mail_server):
    mail_server.replies = ["550 no such mailbox"]

    with pytest.raises(PermanentFailure):
        services.notify(event=login_event(), medium=Email())

    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.sent_at) == ("failed", None)
    assert "550" in delivery.last_error


@pytest.mark.parametrize("email", ["ada@example.org\r\nBcc: eve@a.example", "ada@example.org, eve@a.example", "ada"])
def test_an_invalid_address_fails_permanently_and_is_not_disclosed(mail_server, email):
    mail_server.replies = ["501 bad address"]  # for addresses that Django accepts

    with pytest.raises(PermanentFailure) as caught:
        services.notify(event=login_event(email=email), medium=Email())

    assert "ada" not in str(caught.value)
    assert "ada" not in Delivery.objects.get().last_error
    assert not mail_server.mails


def test_an_unreachable_mail_server_is_a_transient_failure(mail_server):
    mail_server.stop()

    with pytest.raises(TransientFailure):
        services.notify(event=login_event(), medium=Email())


def test_a_delivery_is_abandoned_after_the_last_attempt(mail_server, settings):
    settings.DELIVERY_ATTEMPTS = 2
    mail_server.replies = ["451 try later"] * 2
    event = login_event()

    with pytest.raises(TransientFailure):
        services.notify(event=event, medium=Email())
    with pytest.raises(PermanentFailure, match="given up after 2 attempts"):
        services.notify(event=event, medium=Email())

    assert Delivery.objects.get().status == "failed"


def test_a_user_without_a_phone_is_recorded_as_skipped():
    delivery = services.notify(event=login_event(phone=""), medium=TextMessage())

    assert (delivery.status, delivery.attempts) == ("skipped", 0)


def test_a_text_message_is_sent_through_apprise(mail_server, settings):
    settings.SMS_URL = (
        f"mailto://127.0.0.1:{mail_server.port}/?from=sms@tessera.example&to=sms{{phone}}@tessera.example&mode=insecure"
    )

    delivery = services.notify(event=login_event(), medium=TextMessage())

    [mail] = mail_server.mails
    assert delivery.status == "sent"
    assert "sms+390612345678@tessera.example" in mail["To"]
    assert "2026-01-31 13:00 Europe/Rome" in mail.as_string()


@pytest.mark.parametrize("attempts", [1, 5, 12, 1000])
def test_the_backoff_doubles_up_to_a_maximum(attempts):
    longest = min(300, 2**attempts)

    assert longest / 2 <= services.backoff_seconds(attempts=attempts) <= longest


def test_emails_share_a_connection_and_a_broken_one_is_replaced(mail_server):
    medium = Email()

    for _ in range(3):
        services.notify(event=login_event(), medium=medium)
    assert mail_server.connections == 1

    medium._connection.connection.sock.shutdown(socket.SHUT_RDWR)
    services.notify(event=login_event(), medium=medium)

    assert mail_server.connections == 2
    assert len(mail_server.mails) == 4


def test_the_connection_is_usable_after_a_rejected_email(mail_server):
    medium = Email()
    mail_server.replies = ["550 no such mailbox"]
    with pytest.raises(PermanentFailure):
        services.notify(event=login_event(), medium=medium)

    assert services.notify(event=login_event(), medium=medium).status == "sent"


def test_a_message_that_always_kills_its_worker_is_dead_lettered(mail_server, settings):
    settings.DELIVERY_ATTEMPTS = 3
    event = login_event()
    a_delivery(event_id=event.id, status="pending", attempts=3, sent_at=None)  # it has killed three workers

    with pytest.raises(PermanentFailure, match="given up after 3 attempts"):
        services.notify(event=event, medium=Email())

    assert Delivery.objects.get().status == "failed"
    assert mail_server.mails == []


def test_a_delivery_completed_by_another_worker_is_not_repeated(mail_server, monkeypatch):
    begin = Delivery.begin

    def begin_while_another_finishes(**facts):
        delivery = begin(**facts)
        Delivery.objects.update(status=Delivery.Status.SENT, sent_at=timezone.now())
        return delivery

    monkeypatch.setattr(Delivery, "begin", begin_while_another_finishes)

    assert services.notify(event=login_event(), medium=Email()).status == "sent"
    assert mail_server.mails == []
