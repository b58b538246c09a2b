"""Rate limits of notifications by recipient, and the digest of the rest, over a real SMTP connection."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from chassis.testing.waiting import eventually
from notification.tests.builders import account_event, login_event
from notification.tests.meanwhile import SlowMail, is_waiting_for_a_lock
from notification_ms.deliveries import digests, services
from notification_ms.deliveries.failures import TransientFailure
from notification_ms.deliveries.media import Email, TextMessage
from notification_ms.deliveries.models import Delivery, Tally

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def limits(settings):
    settings.NOTICES_OF_A_KIND, settings.NOTICE_WINDOW_SECONDS = 5, 3600


def later(**how_long):
    return timezone.now() + timedelta(**how_long)


def notify(number, make=login_event, **facts):
    return [services.notify(event=make(**facts), medium=Email()) for _ in range(number)]


def test_fifteen_logins_send_five_emails_and_one_digest_with_the_number(mail_server):
    deliveries = notify(15)

    assert [each.status for each in deliveries] == ["sent"] * 5 + ["skipped"] * 10
    assert {each.last_error for each in deliveries[5:]} == {"more than 5 in 3600 seconds; counted in a digest"}
    assert {each.attempts for each in deliveries[5:]} == {0}
    assert len(mail_server.mails) == 5

    digests.send_due(medium=Email(), at=later(minutes=59))
    assert len(mail_server.mails) == 5

    for _ in range(2):
        digests.send_due(medium=Email(), at=later(minutes=61))
    digest = mail_server.mails[-1]
    assert len(mail_server.mails) == 6
    assert digest["To"] == "ada@example.org"
    assert digest["Subject"] == "More activity on your account"
    for kind in ("plain", "html"):
        assert "10 x New sign-in to your account" in digest.get_body((kind,)).get_content()
    report = Delivery.objects.get(event="digest")
    assert (report.status, report.recipient, report.user_id) == ("sent", "ada@example.org", 7)


def test_a_digest_is_in_the_users_language_and_time_zone(mail_server):
    notify(6, locale="it")

    digests.send_due(medium=Email(), at=later(hours=1))

    text = mail_server.mails[-1].get_body(("plain",)).get_content()
    assert "1 x Nuovo accesso al tuo account" in text
    assert "Europe/Rome" in text


def test_one_digest_covers_all_kinds_of_notifications(mail_server):
    notify(7)
    notify(8, lambda: account_event("sign_in_changed_event", change="passkey_added"))
    before = len(mail_server.mails)

    digests.send_due(medium=Email(), at=later(hours=1))

    [digest] = mail_server.mails[before:]
    text = digest.get_body(("plain",)).get_content()
    assert "2 x New sign-in" in text
    assert "3 x A passkey was added" in text


def test_many_changes_of_one_kind_do_not_suppress_another_kind(mail_server):
    """Otherwise an attacker with a stolen session could hide a change behind many others."""
    notify(9, lambda: account_event("account_changed_event", change="phone_changed"))

    [delivery] = notify(1, lambda: account_event("account_changed_event", change="email_changed"))

    assert delivery.status == "sent"


def test_the_limit_counts_an_address_across_accounts_and_spellings(mail_server):
    for user_id in range(1, 13):
        event = account_event(
            "email_verification_requested_event",
            user_id=user_id,
            email="Victim@example.org" if user_id % 2 else "victim@EXAMPLE.org",
            email_verified=False,
        )
        services.notify(event=event, medium=Email())

    assert len(mail_server.mails) == 5
    reasons = set(Delivery.objects.filter(status="skipped").values_list("last_error", flat=True))
    assert reasons == {"more than 5 in 3600 seconds; not reported in a digest"}
    digests.send_due(medium=Email(), at=later(hours=2))
    assert len(mail_server.mails) == 5  # an unverified address gets no digest


def test_other_recipients_are_not_limited(mail_server):
    notify(9)

    assert notify(1, user_id=8, email="grace@example.org")[0].status == "sent"


def test_after_the_window_notifications_are_sent_again_and_the_digest_follows(mail_server):
    notify(6)
    Tally.objects.update(began_at=later(hours=-2), held_back_from=later(hours=-2))

    assert [each.status for each in notify(6)] == ["sent"] * 5 + ["skipped"]

    digests.send_due(medium=Email(), at=timezone.now())
    assert "2 x New sign-in" in mail_server.mails[-1].get_body(("plain",)).get_content()


def test_a_retry_does_not_count(mail_server):
    mail_server.replies = ["451 try later"]
    event = login_event()
    with pytest.raises(TransientFailure):
        services.notify(event=event, medium=Email())
    services.notify(event=event, medium=Email())
    services.notify(event=event, medium=Email())

    assert [each.status for each in notify(5)] == ["sent"] * 4 + ["skipped"]


def test_a_redelivered_event_stays_held_back(mail_server):
    notify(5)
    event = login_event()

    assert [services.notify(event=event, medium=Email()).status for _ in range(2)] == ["skipped"] * 2
    assert Tally.objects.get().held_back == 1


def test_a_disabled_notification_does_not_count(mail_server):
    services.set_preferences(user_id=7, switched_off=[("user_login_event", "sms")])

    services.notify(event=login_event(), medium=TextMessage())

    assert not Tally.objects.exists()


def test_text_messages_are_limited_and_have_their_own_digest(mail_server, settings):
    settings.SMS_URL = (
        f"mailto://127.0.0.1:{mail_server.port}/?from=sms@tessera.example&to=sms{{phone}}@tessera.example&mode=insecure"
    )
    for _ in range(8):
        services.notify(event=login_event(), medium=TextMessage())

    digests.send_due(medium=TextMessage(), at=later(hours=1))

    assert len(mail_server.mails) == 6
    assert "3 more messages about your account" in mail_server.mails[-1].get_content()


def test_codes_have_no_digest(mail_server, settings):
    settings.SMS_URL = (
        f"mailto://127.0.0.1:{mail_server.port}/?from=sms@tessera.example&to=sms{{phone}}@tessera.example&mode=insecure"
    )
    for _ in range(8):
        services.notify(
            event=account_event("phone_verification_requested_event", phone="+390612345678"), medium=TextMessage()
        )

    digests.send_due(medium=TextMessage(), at=later(hours=1))

    assert len(mail_server.mails) == 5


@pytest.mark.parametrize(("is_verified", "digests_sent"), [(False, 0), (True, 1)])
def test_only_verified_recipients_get_a_digest(mail_server, is_verified, digests_sent):
    notify(8, lambda: account_event("password_reset_requested_event", email_verified=is_verified))

    digests.send_due(medium=Email(), at=later(hours=1))

    assert len(mail_server.mails) == 5 + digests_sent


def test_a_failed_digest_is_retried_and_finally_recorded(mail_server, settings):
    settings.DELIVERY_ATTEMPTS = 3
    notify(6)
    before = len(mail_server.mails)
    mail_server.replies = ["451 try later"] * 2

    attempts = []
    for minutes in (61, 62, 66, 67, 71, 72):
        digests.send_due(medium=Email(), at=later(minutes=minutes))
        attempts.append(Delivery.objects.get(event="digest").attempts)

    assert attempts == [1, 1, 2, 2, 3, 3]  # five minutes more after each
    assert len(mail_server.mails) == before + 1
    report = Delivery.objects.get(event="digest")
    assert (report.status, report.attempts) == ("sent", 3)
    assert Tally.objects.get().held_back == 0


def test_a_rejected_digest_is_abandoned(mail_server):
    notify(6)
    mail_server.replies = ["550 no such mailbox"]

    for _ in range(2):
        digests.send_due(medium=Email(), at=later(hours=1))

    assert Delivery.objects.get(event="digest").status == "failed"
    assert Tally.objects.get().held_back_from is None


def test_a_deleted_user_gets_no_digest_and_its_counts_are_deleted(mail_server):
    notify(6)
    before = len(mail_server.mails)

    services.erase_user(user_id=7, at=timezone.now())
    digests.send_due(medium=Email(), at=later(hours=1))

    assert len(mail_server.mails) == before
    assert not Tally.objects.exists()


def test_counts_are_pruned_after_their_window_was_reported(mail_server):
    notify(6)
    notify(1, user_id=8, email="grace@example.org")

    services.prune(at=later(minutes=61))

    assert [each.recipient for each in Tally.objects.all()] == ["ada@example.org"]
    digests.send_due(medium=Email(), at=later(minutes=61))
    services.prune(at=later(minutes=61))
    assert not Tally.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_concurrent_notifications_are_counted_one_by_one(mail_server):
    def send(_):
        try:
            return services.notify(event=login_event(), medium=Email()).status
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as workers:
        statuses = list(workers.map(send, range(12)))

    assert sorted(statuses) == ["sent"] * 5 + ["skipped"] * 7
    assert Tally.objects.get().held_back == 7


@pytest.mark.django_db(transaction=True)
def test_two_workers_send_one_digest(mail_server):
    notify(6)
    before = len(mail_server.mails)

    def send(_):
        try:
            digests.send_due(medium=Email(), at=later(hours=1))
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as workers:
        list(workers.map(send, range(2)))
    digests.send_due(medium=Email(), at=later(hours=1))

    assert len(mail_server.mails) == before + 1


def in_thread(use_case):
    """Wraps a use case to run in a thread with its own database connection."""

    def run():
        try:
            return use_case()
        finally:
            connection.close()

    return run


@pytest.mark.django_db(transaction=True)
def test_notifications_held_back_while_a_digest_is_sent_are_in_the_next(mail_server):
    notify(6)
    slow = SlowMail()

    with ThreadPoolExecutor(2) as workers:
        sending = workers.submit(in_thread(lambda: digests.send_due(medium=slow, at=later(hours=1))))
        assert slow.is_sending.wait(10)
        held_back = workers.submit(in_thread(lambda: notify(1)))
        eventually(lambda: held_back.done() or is_waiting_for_a_lock())
        slow.may_send.set()
        sending.result(10)
        assert held_back.result(10)[0].status == "skipped"

    assert "1 x New sign-in" in mail_server.mails[-1].get_body(("plain",)).get_content()
    assert Tally.objects.get().held_back == 1


@pytest.mark.django_db(transaction=True)
def test_a_worker_does_not_wait_for_the_digests_of_another(mail_server):
    notify(6)
    slow = SlowMail()

    with ThreadPoolExecutor(1) as workers:
        sending = workers.submit(in_thread(lambda: digests.send_due(medium=slow, at=later(hours=1))))
        assert slow.is_sending.wait(10)
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout TO '2s'")
        digests.send_due(medium=Email(), at=later(hours=1))
        connection.close()
        slow.may_send.set()
        sending.result(10)

    assert Delivery.objects.filter(event="digest").count() == 1
