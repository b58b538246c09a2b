"""Notices over a real SMTP connection."""

import itertools
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg2
import pytest
from django.db import connection
from django.utils import timezone

from chassis.events import CloudEvent, InvalidEvent
from chassis.tests.waiting import eventually
from notification.tests.builders import a_delivery, account_event, login_event, new_user_event
from notification_ms.deliveries import services
from notification_ms.deliveries.failures import PermanentFailure, TransientFailure
from notification_ms.deliveries.media import Email, TextMessage
from notification_ms.deliveries.models import Delivery

pytestmark = pytest.mark.django_db


def test_a_login_is_told_by_mail_with_when_where_and_which_device(mail_server):
    delivery = services.notify(event=login_event(), medium=Email())

    [mail] = mail_server.mails
    text = mail.get_body(("plain",)).get_content()
    assert mail["To"] == "ada@example.org"
    assert mail["Subject"] == "New sign-in to your account"
    assert "2026-01-31 13:00 Europe/Rome" in text
    assert "192.0.2.7" in text
    assert "Firefox" in text
    assert "192.0.2.7" in mail.get_body(("html",)).get_content()
    assert (delivery.status, delivery.attempts) == ("sent", 1)
    assert delivery.sent_at is not None


def test_the_mail_is_written_in_the_users_language(mail_server):
    services.notify(event=login_event(locale="it-IT"), medium=Email())
    services.notify(event=new_user_event(locale="de"), medium=Email())

    assert [mail["Subject"] for mail in mail_server.mails] == ["Nuovo accesso al tuo account", "Welcome, Ada"]


def test_an_event_that_comes_twice_is_sent_once(mail_server):
    event = login_event()

    services.notify(event=event, medium=Email())
    services.notify(event=CloudEvent.parse(event.as_dict(), expected_type=event.type), medium=Email())

    assert len(mail_server.mails) == 1
    assert Delivery.objects.count() == 1


class SlowMail(Email):
    """Says when a mail is on its way, and sends it when it is told to."""

    def __init__(self):
        super().__init__()
        self.is_sending, self.may_send = threading.Event(), threading.Event()

    def send(self, *arguments, **options):
        self.is_sending.set()
        assert self.may_send.wait(10)
        super().send(*arguments, **options)


@pytest.mark.django_db(transaction=True)
def test_an_event_that_comes_again_while_it_is_being_sent_waits_and_is_not_sent_again(mail_server):
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


def is_waiting_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock')")
        return cursor.fetchone()[0]


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_restarted_while_a_mail_is_sent_does_not_have_it_sent_again(mail_server):
    class MailDuringRestart(Email):
        def send(self, *arguments, **options):
            super().send(*arguments, **options)
            end_connection(connection.connection.info.backend_pid)

    delivery = services.notify(event=login_event(), medium=MailDuringRestart())

    assert delivery.status == "sent"
    assert Delivery.objects.get().status == "sent"
    assert len(mail_server.mails) == 1


def end_connection(pid):
    """As a restart of PostgreSQL does."""
    with psycopg2.connect(**connection.get_connection_params()) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def test_every_attempt_has_the_same_message_id(mail_server):
    event = login_event()
    services.notify(event=event, medium=Email())
    Delivery.objects.update(status="pending")  # as after a crash between sending and recording

    services.notify(event=event, medium=Email())

    first, second = (mail["Message-ID"] for mail in mail_server.mails)
    assert first == second == f"<{event.id.hex}.email@tessera.invalid>"


def test_what_a_user_writes_cannot_become_markup_or_a_header(mail_server):
    services.notify(event=new_user_event(name="<script>x</script>"), medium=Email())
    services.notify(event=login_event(user_agent="<img src=x>"), medium=Email())

    for mail in mail_server.mails:
        html = mail.get_body(("html",)).get_content()
        assert "<script>" not in html
        assert "<img" not in html


@pytest.mark.parametrize("reply", ["451 try later", "421 closing", "452 full"])
def test_an_answer_4yz_is_transient(mail_server, reply):
    mail_server.replies = [reply]
    event = login_event()

    with pytest.raises(TransientFailure, match=reply[:3]):
        services.notify(event=event, medium=Email())

    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.attempts) == ("pending", 1)
    assert services.notify(event=event, medium=Email()).status == "sent"


def test_an_answer_5yz_is_permanent_and_its_reason_is_kept(mail_server):
    mail_server.replies = ["550 no such mailbox"]

    with pytest.raises(PermanentFailure):
        services.notify(event=login_event(), medium=Email())

    delivery = Delivery.objects.get()
    assert delivery.status == "failed"
    assert "550" in delivery.last_error


@pytest.mark.parametrize("email", ["ada@example.org\r\nBcc: eve@a.example", "ada@example.org, eve@a.example", "ada"])
def test_an_address_that_is_none_is_permanent_and_no_part_of_it_is_said(mail_server, email):
    mail_server.replies = ["501 bad address"]  # where Django lets it pass

    with pytest.raises(PermanentFailure) as caught:
        services.notify(event=login_event(email=email), medium=Email())

    assert "ada" not in str(caught.value)
    assert "ada" not in Delivery.objects.get().last_error
    assert not mail_server.mails


def test_a_mail_server_that_is_away_is_transient(mail_server):
    mail_server.stop()

    with pytest.raises(TransientFailure):
        services.notify(event=login_event(), medium=Email())


def test_the_last_attempt_gives_up(mail_server, settings):
    settings.DELIVERY_ATTEMPTS = 2
    mail_server.replies = ["451 try later"] * 2
    event = login_event()

    with pytest.raises(TransientFailure):
        services.notify(event=event, medium=Email())
    with pytest.raises(PermanentFailure, match="given up after 2 attempts"):
        services.notify(event=event, medium=Email())

    assert Delivery.objects.get().status == "failed"


def test_a_user_without_a_telephone_is_skipped_and_that_is_recorded():
    delivery = services.notify(event=login_event(phone=""), medium=TextMessage())

    assert (delivery.status, delivery.attempts) == ("skipped", 0)


def test_a_text_message_goes_out_through_apprise(mail_server, settings):
    settings.SMS_URL = (
        f"mailto://127.0.0.1:{mail_server.port}/?from=sms@tessera.example&to=sms{{phone}}@tessera.example&mode=insecure"
    )

    delivery = services.notify(event=login_event(), medium=TextMessage())

    [mail] = mail_server.mails
    assert delivery.status == "sent"
    assert "sms+390612345678@tessera.example" in mail["To"]
    assert "2026-01-31 13:00 Europe/Rome" in mail.as_string()


@pytest.mark.parametrize(
    "event",
    [
        login_event(email=None),
        login_event(user_id="7"),
        login_event(logged_in_at="yesterday"),
        CloudEvent(**(vars(login_event()) | {"type": "unheard_of_event"})),
    ],
)
def test_an_event_without_what_its_text_needs_is_invalid(event):
    with pytest.raises(InvalidEvent):
        services.notify(event=event, medium=Email())

    assert not Delivery.objects.exists()


@pytest.mark.parametrize("time_zone", ["Mars/Olympus", "../etc/passwd", "", None])
def test_an_unknown_time_zone_is_no_reason_not_to_tell(mail_server, time_zone):
    services.notify(event=login_event(time_zone=time_zone), medium=Email())

    assert "2026-01-31 12:00 UTC" in mail_server.mails[0].get_body(("plain",)).get_content()


@pytest.mark.parametrize("attempts", [1, 5, 12, 1000])
def test_the_backoff_doubles_up_to_a_bound(attempts):
    longest = min(300, 2**attempts)

    assert longest / 2 <= services.backoff_seconds(attempts=attempts) <= longest


MAILED_TOKENS = ["password_reset_requested_event", "email_verification_requested_event"]


@pytest.mark.parametrize("event_type", MAILED_TOKENS)
@pytest.mark.parametrize("locale", ["en", "it"])
def test_a_token_is_mailed_as_it_is_when_there_is_no_page_for_it(mail_server, event_type, locale, settings):
    settings.PASSWORD_RESET_URL = settings.EMAIL_VERIFICATION_URL = ""
    services.notify(event=account_event(event_type, locale=locale), medium=Email())

    [mail] = mail_server.mails
    for kind in ("plain", "html"):
        text = mail.get_body((kind,)).get_content()
        assert "a-token/with+signs" in text
        assert "2999-01-31 13:00 Europe/Rome" in text
        assert "http" not in text


@pytest.mark.parametrize(
    ("event_type", "setting"), [(MAILED_TOKENS[0], "PASSWORD_RESET_URL"), (MAILED_TOKENS[1], "EMAIL_VERIFICATION_URL")]
)
def test_a_token_is_mailed_as_a_link_to_the_page_for_it(mail_server, settings, event_type, setting):
    setattr(settings, setting, "https://app.example/page?token={token}&x=1")

    services.notify(event=account_event(event_type), medium=Email())

    [mail] = mail_server.mails
    assert "https://app.example/page?token=a-token%2Fwith%2Bsigns&x=1" in mail.get_body(("plain",)).get_content()
    assert "https://app.example/page?token=a-token%2Fwith%2Bsigns&amp;x=1" in mail.get_body(("html",)).get_content()


@pytest.mark.parametrize("event_type", MAILED_TOKENS)
def test_a_token_that_has_expired_is_not_mailed(mail_server, event_type):
    delivery = services.notify(event=account_event(event_type, expires_at="2026-01-01T00:00:00Z"), medium=Email())

    assert (delivery.status, delivery.last_error) == ("skipped", "expired")
    assert mail_server.mails == []


@pytest.mark.parametrize("event_type", MAILED_TOKENS)
def test_a_token_is_never_stored(mail_server, event_type):
    mail_server.replies = ["451 try later"]
    event = account_event(event_type)

    with pytest.raises(TransientFailure):
        services.notify(event=event, medium=Email())
    services.notify(event=event, medium=Email())

    assert "a-token" not in repr(list(Delivery.objects.values()))


def test_a_changed_password_is_told_with_when_where_and_which_device(mail_server):
    services.notify(event=account_event("password_changed_event", locale="it"), medium=Email())

    [mail] = mail_server.mails
    text = mail.get_body(("plain",)).get_content()
    assert mail["Subject"] == "La tua password è stata cambiata"
    assert "2026-01-31 13:00 Europe/Rome" in text
    assert "192.0.2.7" in text
    assert "Firefox" in text


@pytest.mark.parametrize("order", list(itertools.permutations(["signed up", "signed in", "changed", "deleted"])))
def test_events_in_whatever_order_are_told_once_until_the_user_is_deleted(mail_server, order):
    events = {
        "signed up": new_user_event(),
        "signed in": login_event(),
        "changed": account_event("password_changed_event"),
    }

    for what in order:
        if what == "deleted":
            services.erase_user(user_id=7, at=timezone.now())
        else:
            services.notify(event=events[what], medium=Email())

    before = order.index("deleted")
    statuses = {delivery.event_id: delivery.status for delivery in Delivery.objects.all()}
    assert [statuses[events[what].id] for what in order if what != "deleted"] == ["sent"] * before + ["skipped"] * (
        3 - before
    )
    assert len(mail_server.mails) == before
    assert set(Delivery.objects.values_list("recipient", flat=True)) == {""}


def test_what_is_known_of_a_deleted_user_is_erased(mail_server):
    services.notify(event=login_event(), medium=Email())
    other = services.notify(event=login_event(user_id=8, email="grace@example.org"), medium=Email())

    for _ in range(2):
        services.erase_user(user_id=7, at=timezone.now())

    erased = Delivery.objects.get(user_id=7)
    assert (erased.recipient, erased.last_error, erased.status) == ("", "", "sent")
    other.refresh_from_db()
    assert other.recipient == "grace@example.org"


def test_an_event_that_comes_after_the_deletion_tells_nothing(mail_server):
    """The order of events is not promised."""
    services.erase_user(user_id=7, at=timezone.now())

    delivery = services.notify(event=login_event(), medium=Email())

    assert (delivery.status, delivery.recipient) == ("skipped", "")
    assert mail_server.mails == []


def test_mails_share_a_connection_and_a_broken_one_is_replaced(mail_server):
    medium = Email()

    for _ in range(3):
        services.notify(event=login_event(), medium=medium)
    assert mail_server.connections == 1

    medium._connection.connection.sock.shutdown(socket.SHUT_RDWR)
    services.notify(event=login_event(), medium=medium)

    assert mail_server.connections == 2
    assert len(mail_server.mails) == 4


def test_a_refused_mail_does_not_spoil_the_connection_for_the_next(mail_server):
    medium = Email()
    mail_server.replies = ["550 no such mailbox"]
    with pytest.raises(PermanentFailure):
        services.notify(event=login_event(), medium=medium)

    assert services.notify(event=login_event(), medium=medium).status == "sent"


@pytest.mark.parametrize("locale", ["en", "it"])
def test_a_login_mail_leads_to_ending_that_session(mail_server, settings, locale):
    settings.SESSION_URL = "https://app.example/sessions/{session_id}/end"

    services.notify(event=login_event(locale=locale, session_id=4711), medium=Email())

    [mail] = mail_server.mails
    for kind in ("plain", "html"):
        assert "https://app.example/sessions/4711/end" in mail.get_body((kind,)).get_content()


def test_old_deliveries_are_forgotten(settings):
    settings.NOTIFICATION_RETENTION_DAYS = 30
    old, fresh = a_delivery(), a_delivery()
    Delivery.objects.filter(id=old.id).update(created_at=timezone.now() - timedelta(days=31))

    services.prune(at=timezone.now())

    assert list(Delivery.objects.all()) == [fresh]


def test_a_message_that_kills_its_worker_each_time_is_given_up(mail_server, settings):
    settings.DELIVERY_ATTEMPTS = 3
    event = login_event()
    a_delivery(event_id=event.id, status="pending", attempts=3, sent_at=None)  # three workers have died of it

    with pytest.raises(PermanentFailure, match="given up after 3 attempts"):
        services.notify(event=event, medium=Email())

    assert Delivery.objects.get().status == "failed"
    assert mail_server.mails == []


def test_a_delivery_that_another_worker_finished_meanwhile_is_not_made_again(mail_server, monkeypatch):
    begin = Delivery.begin

    def begin_while_another_finishes(**facts):
        delivery = begin(**facts)
        Delivery.objects.update(status=Delivery.Status.SENT, sent_at=timezone.now())
        return delivery

    monkeypatch.setattr(Delivery, "begin", begin_while_another_finishes)

    assert services.notify(event=login_event(), medium=Email()).status == "sent"
    assert mail_server.mails == []
