"""Data that is not kept: tokens, deleted users, old deliveries."""

import itertools
import json
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from celery import Celery
from celery.exceptions import Reject
from django.utils import timezone

from chassis.messaging.events import CloudEvent
from notification.tests.builders import MAILED_TOKENS, a_delivery, account_event, login_event, new_user_event
from notification_ms.deliveries import services, tasks
from notification_ms.deliveries.failures import TransientFailure
from notification_ms.deliveries.media import Email
from notification_ms.deliveries.models import Delivery, ErasedUser, Tally

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("event_type", MAILED_TOKENS)
def test_an_expired_token_is_not_mailed(mail_server, event_type):
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


@pytest.mark.parametrize("order", list(itertools.permutations(["signed up", "signed in", "changed", "deleted"])))
def test_events_in_any_order_are_notified_once_until_the_user_is_deleted(mail_server, order):
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


def test_data_of_a_deleted_user_is_erased(mail_server):
    services.notify(event=login_event(), medium=Email())
    other = services.notify(event=login_event(user_id=8, email="grace@example.org"), medium=Email())

    for _ in range(2):
        services.erase_user(user_id=7, at=timezone.now())

    erased = Delivery.objects.get(user_id=7)
    assert (erased.recipient, erased.last_error, erased.status) == ("", "", "sent")
    other.refresh_from_db()
    assert other.recipient == "grace@example.org"


def test_an_event_after_the_deletion_is_not_notified(mail_server):
    """The order of events is not guaranteed."""
    services.erase_user(user_id=7, at=timezone.now())

    delivery = services.notify(event=login_event(), medium=Email())

    assert (delivery.status, delivery.recipient) == ("skipped", "")
    assert mail_server.mails == []


def test_old_deliveries_are_deleted(settings):
    settings.NOTIFICATION_RETENTION_DAYS = 30
    old, fresh = a_delivery(), a_delivery()
    Delivery.objects.filter(id=old.id).update(created_at=timezone.now() - timedelta(days=31))

    services.prune(at=timezone.now())

    assert list(Delivery.objects.all()) == [fresh]


class UsersService:
    """A fake users-ms that confirms or denies deletions; a real HTTP server."""

    def __init__(self):
        self.deleted, self.status, self.asked = set(), 200, []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                service.asked.append((self.path, self.headers.get("Authorization")))
                body = json.dumps({"deleted": int(self.path.rpartition("/")[2]) in service.deleted}).encode()
                self.send_response(service.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def users_service(settings):
    service = UsersService()
    settings.USERS_URL = service.url
    yield service
    service.close()


@pytest.fixture
def worker(monkeypatch):
    """Runs the email worker's task for a message from `queue`; `retried` are the events that it retries later."""
    application = Celery("test", set_as_current=False)
    application.conf.notification_medium = "email"
    monkeypatch.setattr(tasks, "current_app", application)
    retried = []
    monkeypatch.setattr(
        "chassis.messaging.retries.retry_later", lambda _, *, queue, event, seconds: retried.append((queue, event))
    )

    def run(event, *, queue):
        task = tasks.take_leave_of_deleted_user
        task.push_request(queue=queue)
        try:
            task.run(event=event.as_dict() if isinstance(event, CloudEvent) else event)
        finally:
            task.pop_request()

    run.retried = retried
    return run


ERASURE, FAREWELL = "user_deleted_data_erasure", "user_deleted_email_notification"


def test_a_user_is_erased_when_users_ms_confirms_the_deletion(worker, users_service):
    a_delivery()
    users_service.deleted = {7}

    worker(account_event("user_deleted_event"), queue=ERASURE)

    assert Delivery.objects.get().recipient == ""
    assert ErasedUser.objects.get().user_id == 7
    assert users_service.asked == [("/users-ms/internal/deletions/7", None)]


def test_a_forged_deletion_erases_nothing_and_is_dead_lettered_without_personal_data(worker, users_service):
    a_delivery()

    worker(account_event("user_deleted_event"), queue=ERASURE)
    [(queue, again)] = worker.retried
    with pytest.raises(Reject):
        worker(again, queue=ERASURE)

    assert queue == ERASURE
    assert set(again["data"]) == {"user_id", "deleted_at"}
    assert Delivery.objects.get().recipient == "ada@example.org"
    assert not ErasedUser.objects.exists()


@pytest.mark.parametrize("status", [404, 500, 503, None])
def test_an_erasure_waits_until_users_ms_answers(worker, users_service, status):
    a_delivery()
    users_service.status = status or 200
    if status is None:
        users_service.close()
        users_service.close = lambda: None
        users_service.server.server_close()

    worker(account_event("user_deleted_event"), queue=ERASURE)

    [(queue, again)] = worker.retried
    assert queue == ERASURE
    assert set(again["data"]) == {"user_id", "deleted_at"}
    assert Delivery.objects.get().recipient == "ada@example.org"


@pytest.mark.parametrize("first", [ERASURE, FAREWELL])
def test_a_deleted_user_gets_a_last_email_and_its_address_is_not_stored(worker, users_service, mail_server, first):
    """In any order of the two queues."""
    users_service.deleted = {7}
    event = account_event("user_deleted_event")

    for queue in sorted([ERASURE, FAREWELL], key=lambda each: each != first):
        worker(event, queue=queue)
        worker(event, queue=queue)

    [mail] = mail_server.mails
    assert (mail["To"], mail["Subject"]) == ("ada@example.org", "Your account was deleted")
    assert "192.0.2.7" in mail.get_body(("plain",)).get_content()
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.recipient, delivery.last_error) == ("sent", "", "")
    assert "ada@" not in repr(list(Delivery.objects.values())).lower()
    assert not Tally.objects.exists()  # it would store the erased address again


def test_the_last_email_is_retried_through_its_own_queue(worker, users_service, mail_server):
    mail_server.replies = ["451 try ada@example.org later"]
    event = account_event("user_deleted_event")

    worker(event, queue=FAREWELL)
    [(queue, again)] = worker.retried
    assert (queue, again) == (FAREWELL, event.as_dict())
    assert "ada@" not in repr(list(Delivery.objects.values()))

    worker(again, queue=FAREWELL)
    assert len(mail_server.mails) == 1


def test_a_delivery_concurrent_with_an_erasure_is_blanked_within_an_hour(mail_server):
    services.erase_user(user_id=7, at=timezone.now())
    late, other = a_delivery(), a_delivery(user_id=8)

    services.prune(at=timezone.now())

    late.refresh_from_db()
    other.refresh_from_db()
    assert (late.recipient, other.recipient) == ("", "ada@example.org")


def test_a_deletion_event_without_contact_data_sends_no_email(worker, mail_server):
    event = account_event("user_deleted_event")
    event.data.clear()
    event.data.update(user_id=7, deleted_at="2026-01-31T12:00:00+00:00")

    worker(event, queue=FAREWELL)

    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.last_error) == ("skipped", "the user cannot be reached by email")
