"""Webhooks: management by admins, sending to a real HTTP server, retries, disabling, resend and replay."""

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.db import connection
from django.test import Client

from notification.tests.builders import ADMIN, NOON, a_webhook, login_event, new_user_event
from notification_ms.webhooks import selectors, signing
from notification_ms.webhooks.models import Delivery, Endpoint, EndpointChange, EndpointSecret, ProductEvent
from notification_ms.webhooks.services import endpoints, events, notices, sending

pytestmark = pytest.mark.django_db
PATH = "/notification-ms/webhooks"
GIVEN = {"url": "https://shop.example/hooks", "description": "the shop", "events": ["user_created"], "enabled": True}


class Receiver:
    """A product that answers each webhook with the next of `statuses`, then with 204."""

    def __init__(self):
        self.statuses = []
        self.received = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.append((dict(self.headers), body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                self.send_header("Location", "http://127.0.0.1:1/")
                self.end_headers()
                self.wfile.write(b"thanks")

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/hooks"

    @property
    def types(self):
        return [json.loads(body)["type"] for _, body in self.received]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver(settings):
    settings.PRIVATE_WEBHOOK_NETWORKS = ["127.0.0.1/32"]
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def admin(caller):
    return caller(user_id=1, admin=True)


def post(client: Client, path: str, body=None, **headers):
    return client.post(path, json.dumps(body or {}), content_type="application/json", headers=headers)


def put(client: Client, path: str, body, **headers):
    return client.put(path, json.dumps(body), content_type="application/json", headers=headers)


def attempt(endpoint, *, at=NOON):
    return sending.attempt_next(endpoint_id=endpoint.id, at=at)


def fail_until_given_up(endpoint, *, begun=NOON):
    """Attempts an hour apart, until nothing is due any more."""
    hour = 0
    while hour <= 80:
        attempt(endpoint, at=begun + timedelta(hours=hour))
        hour += 1


def test_the_signature_of_the_specification():
    """https://github.com/standard-webhooks/standard-webhooks: the vector in the tests of its libraries."""
    made = signing.headers(
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        body=b'{"test": 2432232314}',
        keys=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],  # pragma: allowlist secret
        at=datetime.fromtimestamp(1614265330, UTC),
    )

    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_an_event_is_posted_signed_and_logged(receiver, admin):
    endpoint, secret = a_webhook(url=receiver.url)

    events.take(event=new_user_event(), at=NOON)
    assert attempt(endpoint)
    assert not attempt(endpoint)

    [(headers, body)] = receiver.received
    event = json.loads(body)
    assert (event["type"], event["data"]) == ("user_created", {"user_id": 7, "name": "Ada", "surname": "Lovelace"})
    assert headers["webhook-id"] == event["id"]
    expected = signing.headers(message_id=event["id"], body=body, keys=[secret], at=NOON)
    assert headers["webhook-signature"] == expected["webhook-signature"]
    [logged] = admin.get(f"{PATH}/{endpoint.id}/deliveries").json()["results"]
    assert (logged["status"], logged["attempts"], logged["answer_status"]) == ("delivered", 1, 204)
    assert logged["next_attempt_at"] is None


def test_an_admin_creates_reads_changes_and_deletes_a_webhook(admin):
    made = post(admin, PATH, GIVEN)
    path = made.headers["Location"]
    read = admin.get(path)
    changed = put(admin, path, GIVEN | {"enabled": False}, **{"If-Match": read.headers["ETag"]})
    late = put(admin, path, GIVEN, **{"If-Match": read.headers["ETag"]})
    gone = admin.delete(path, headers={"If-Match": changed.headers["ETag"]})

    assert (made.status_code, made.headers["Cache-Control"]) == (201, "no-store")
    assert made.json()["secret"].startswith("whsec_")
    assert "secret" not in read.json()
    assert {name: read.json()[name] for name in GIVEN} == GIVEN
    assert (changed.json()["enabled"], changed.json()["disabled_by"]) == (False, "admin")
    assert late.status_code == 412
    assert (gone.status_code, admin.get(path).status_code) == (204, 404)
    changes = admin.get("/notification-ms/webhook-changes").json()["results"]
    assert [(each["change"], each["actor_id"]) for each in changes] == [
        ("deleted", 1),
        ("disabled", 1),
        ("created", 1),
    ]


def test_secrets_are_stored_encrypted(admin):
    secret = post(admin, PATH, GIVEN).json()["secret"]

    assert secret.encode() not in bytes(EndpointSecret.objects.get().secret_encrypted)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "http://shop.example/hooks"),
        ("url", "https://127.0.0.1/hooks"),
        ("url", "https://[::ffff:10.0.0.1]/hooks"),
        ("url", "https://169.254.169.254/latest"),
        ("url", "https://user:password@shop.example/"),
        ("url", "file:///etc/passwd"),
        ("url", "https://shop.example/" + "x" * 2000),
        ("events", ["user_exploded"]),
        ("events", "user_created"),
        ("enabled", "yes"),
        ("description", "a\nb"),
    ],
)
def test_settings_that_are_not_valid_are_rejected_by_name(admin, settings, field, value):
    settings.PRIVATE_WEBHOOK_NETWORKS = []

    answer = post(admin, PATH, GIVEN | {field: value})

    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_a_name_that_leads_to_a_private_address_is_not_requested(receiver, settings):
    endpoint, _ = a_webhook(url=receiver.url.replace("127.0.0.1", "localhost"))
    settings.PRIVATE_WEBHOOK_NETWORKS = ["10.0.0.0/8"]
    events.take(event=new_user_event(), at=NOON)

    attempt(endpoint)

    assert receiver.received == []
    assert Delivery.objects.get().last_error == "Must be https at a public address."


def test_redirects_are_not_followed(receiver):
    receiver.statuses = [302]
    endpoint, _ = a_webhook(url=receiver.url)
    events.take(event=new_user_event(), at=NOON)

    attempt(endpoint)

    assert (Delivery.objects.get().status, Delivery.objects.get().last_error) == ("pending", "HTTP 302")


def test_there_may_be_twenty_webhooks(admin):
    made = [post(admin, PATH, GIVEN).status_code for _ in range(21)]

    assert made == [201] * 20 + [409]


def test_only_chosen_events_are_sent(receiver):
    endpoint, _ = a_webhook(url=receiver.url, events=["session_started"])
    every, _ = a_webhook(url=receiver.url)
    off, _ = a_webhook(url=receiver.url, enabled=False)

    events.take(event=new_user_event(), at=NOON)
    events.take(event=login_event(), at=NOON)

    of = {
        each: [d.event.type for d in selectors.deliveries_of(each.id).order_by("id")] for each in (endpoint, every, off)
    }
    assert of == {endpoint: ["session_started"], every: ["user_created", "session_started"], off: []}


def test_a_rotated_secret_signs_with_both_until_the_old_one_expires(receiver, admin):
    endpoint, old = a_webhook(url=receiver.url)
    new = endpoints.rotate_secret(endpoint_id=endpoint.id, overlap=timedelta(hours=1), actor=ADMIN, at=NOON)
    for hour in (0, 2):
        at = NOON + timedelta(hours=hour)
        endpoints.send_test(endpoint_id=endpoint.id, actor=ADMIN, at=at)
        attempt(endpoint, at=at)

    (during, body), (after, later_body) = receiver.received
    both = signing.headers(message_id=during["webhook-id"], body=body, keys=[new, old], at=NOON)
    one = signing.headers(message_id=after["webhook-id"], body=later_body, keys=[new], at=NOON + timedelta(hours=2))
    assert during["webhook-signature"] == both["webhook-signature"]
    assert after["webhook-signature"] == one["webhook-signature"]
    assert post(admin, f"{PATH}/{endpoint.id}/secrets", {"overlap_seconds": -1}).status_code == 400


def test_a_failure_is_retried_later_with_the_same_id_and_ends_with_the_first_success(receiver):
    receiver.statuses = [500, 503]
    endpoint, _ = a_webhook(url=receiver.url)
    events.take(event=new_user_event(), at=NOON)

    moments = [NOON, NOON + timedelta(seconds=1), NOON + timedelta(seconds=6), NOON + timedelta(seconds=30)]
    made = [attempt(endpoint, at=moment) for moment in moments]

    assert made == [True, False, True, True]
    assert len({headers["webhook-id"] for headers, _ in receiver.received}) == 1
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.attempts, delivery.last_error) == ("delivered", 3, "")
    endpoint.refresh_from_db()
    assert endpoint.failing_since is None


def test_waits_double_up_to_four_hours():
    assert all(2.5 <= sending.backoff_seconds(attempts=1) <= 5 for _ in range(50))
    assert all(20 <= sending.backoff_seconds(attempts=4) <= 40 for _ in range(50))
    assert sending.backoff_seconds(attempts=1000) <= 4 * 3600


def test_a_webhook_that_accepts_nothing_for_three_days_is_disabled(receiver, admin, caplog):
    endpoint, _ = a_webhook(url=receiver.url)
    receiver.statuses = [500] * 100
    events.take(event=new_user_event(), at=NOON)

    fail_until_given_up(endpoint)

    shown = admin.get(f"{PATH}/{endpoint.id}").json()
    assert (shown["enabled"], shown["disabled_by"]) == (False, "failing")
    assert Delivery.objects.get().status == "failed"
    assert "a webhook was disabled" in caplog.text
    last = EndpointChange.objects.order_by("-id").first()
    assert (last.change, last.actor_id, last.details["reason"]) == ("disabled", None, "failing")
    enabled = put(admin, f"{PATH}/{endpoint.id}", GIVEN).json()
    assert (enabled["enabled"], enabled["failing_since"]) == (True, None)


def test_one_event_that_is_never_accepted_does_not_disable_a_webhook_that_accepts_others(receiver):
    endpoint, _ = a_webhook(url=receiver.url)
    events.take(event=new_user_event(), at=NOON)
    refused = Delivery.objects.get()
    day = NOON + timedelta(days=1)
    receiver.statuses = [422]
    attempt(endpoint)
    refused.refresh_from_db()
    Delivery.objects.update(next_attempt_at=NOON + timedelta(days=4))
    events.take(event=login_event(), at=day)
    attempt(endpoint, at=day)
    receiver.statuses = [422]
    attempt(endpoint, at=NOON + timedelta(days=4))

    refused.refresh_from_db()
    endpoint.refresh_from_db()
    assert (refused.status, endpoint.disabled) == ("failed", "")


def test_a_receiver_that_answers_410_is_disabled_at_once(receiver):
    receiver.statuses = [410]
    endpoint, _ = a_webhook(url=receiver.url)
    events.take(event=new_user_event(), at=NOON)
    events.take(event=login_event(), at=NOON)

    made = [attempt(endpoint), attempt(endpoint)]

    endpoint.refresh_from_db()
    assert (made, endpoint.disabled) == ([True, False], "gone")


def test_an_attempt_whose_worker_died_is_repeated_after_a_minute(receiver):
    endpoint, _ = a_webhook(url=receiver.url)
    events.take(event=new_user_event(), at=NOON)
    assert sending._claim(endpoint.id, at=NOON) is not None

    made = [attempt(endpoint, at=NOON + timedelta(seconds=seconds)) for seconds in (30, 61)]

    assert made == [False, True]


def test_a_test_event_is_sent_to_its_webhook_only_and_never_replayed(receiver, admin):
    endpoint, _ = a_webhook(url=receiver.url, events=["user_created"])
    other, _ = a_webhook(url=receiver.url)

    answer = post(admin, f"{PATH}/{endpoint.id}/test")
    sending.send_due(endpoint_id=endpoint.id)
    post(admin, f"{PATH}/{other.id}/replay", {"since": NOON.isoformat()})
    sending.send_due(endpoint_id=other.id)

    assert (answer.status_code, receiver.types) == (202, ["webhook_test"])


def test_one_delivery_is_resent(receiver, admin):
    endpoint, _ = a_webhook(url=receiver.url)
    events.take(event=new_user_event(), at=NOON)
    attempt(endpoint)
    path = f"{PATH}/{endpoint.id}/deliveries/{Delivery.objects.get().id}/resend"

    answer = post(admin, path)
    sending.send_due(endpoint_id=endpoint.id)

    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    assert [headers["webhook-id"] for headers, _ in receiver.received] == [str(ProductEvent.objects.get().event_id)] * 2
    assert post(admin, f"{PATH}/{a_webhook()[0].id}/deliveries/{Delivery.objects.get().id}/resend").status_code == 404


def test_events_since_a_time_are_replayed_in_batches_those_accepted_before_too(receiver, admin, monkeypatch):
    monkeypatch.setattr(sending, "REPLAY_BATCH", 2)
    endpoint, _ = a_webhook(url=receiver.url, events=["session_started"])
    moments = [NOON + timedelta(hours=hour) for hour in range(6)]
    for moment in moments:
        events.take(event=login_event(), at=moment)
        events.take(event=new_user_event(), at=moment)
    sending.send_due(endpoint_id=endpoint.id)
    receiver.received.clear()

    answer = post(admin, f"{PATH}/{endpoint.id}/replay", {"since": moments[2].isoformat()})
    assert admin.get(f"{PATH}/{endpoint.id}").json()["is_replaying"]
    sending.send_due(endpoint_id=endpoint.id)

    assert (answer.status_code, answer.json()) == (202, {"events": 8})
    assert receiver.types == ["session_started"] * 4
    assert not admin.get(f"{PATH}/{endpoint.id}").json()["is_replaying"]


@pytest.mark.parametrize("action", ["test", "replay"])
def test_nothing_is_sent_to_a_disabled_webhook(admin, action):
    endpoint, _ = a_webhook(enabled=False)

    answer = post(admin, f"{PATH}/{endpoint.id}/{action}", {"since": NOON.isoformat()})

    assert (answer.status_code, answer.json()["code"]) == (409, "webhook_disabled")


def test_only_enabled_webhooks_with_something_due_have_work():
    due, _ = a_webhook()
    off, _ = a_webhook()
    idle, _ = a_webhook(events=["user_deleted"])
    events.take(event=new_user_event(), at=NOON)
    Endpoint.objects.filter(id=off.id).update(disabled="admin")

    assert sending.endpoints_with_work(at=NOON) == [due.id]
    assert idle.id not in sending.endpoints_with_work(at=NOON)


def test_a_secret_of_another_key_is_a_failure_that_says_what_to_do(receiver, settings):
    endpoint, _ = a_webhook(url=receiver.url)
    events.take(event=new_user_event(), at=NOON)
    settings.SECRET_KEY = "another key of at least thirty-two characters"

    attempt(endpoint)

    assert "Rotate the secret" in Delivery.objects.get().last_error


def test_events_and_their_deliveries_are_kept_for_thirty_days():
    a_webhook()
    for days in (0, 2):
        events.take(event=new_user_event(), at=NOON + timedelta(days=days))

    events.prune(at=NOON + timedelta(days=31))

    assert (ProductEvent.objects.count(), Delivery.objects.count()) == (1, 1)


def test_an_export_has_the_kept_events(caller):
    a_webhook()
    events.take(event=new_user_event(), at=NOON)

    exported = caller(user_id=7).get("/notification-ms/export")

    [event] = json.loads(b"".join(exported.streaming_content))["webhook_events"]
    assert (event["type"], event["data"]["name"]) == ("user_created", "Ada")


def test_claiming_uses_the_index_of_due_deliveries():
    endpoint, _ = a_webhook()
    due = Delivery.objects.filter(endpoint=endpoint, status="pending", next_attempt_at__lte=NOON)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan TO off")

    assert "webhook_delivery_due" in due.order_by("next_attempt_at").explain()


@pytest.fixture
def told(settings, mail_server):
    """The mail server, with addresses that are told of disabled webhooks."""
    settings.WEBHOOK_NOTICE_EMAILS = ["oncall@example.org", "ops@example.org"]
    return mail_server


def a_gone_webhook(receiver):
    """A webhook that its receiver's 410 has disabled."""
    receiver.statuses = [410]
    endpoint, _ = a_webhook(url=receiver.url)
    events.take(event=new_user_event(), at=NOON)
    assert attempt(endpoint)
    return endpoint


def test_a_webhook_that_is_disabled_by_itself_is_told_once_without_the_path_of_its_url(receiver, told, admin):
    endpoint = a_gone_webhook(receiver)

    assert notices.are_due(at=NOON)
    for _ in range(2):
        notices.send_due(at=NOON)

    [mail] = told.mails
    assert mail["To"] == "oncall@example.org, ops@example.org"
    assert mail["Subject"] == f"Webhook {endpoint.id} was disabled"
    text = mail.get_content()
    assert "410" in text
    assert receiver.url.removesuffix("/hooks") in text
    assert "/hooks" not in text
    assert not notices.are_due(at=NOON + timedelta(days=30))
    changes = admin.get("/notification-ms/webhook-changes").json()["results"]
    assert [each["change"] for each in changes[:2]] == ["notified", "disabled"]


def test_a_notice_that_the_mail_server_does_not_take_is_sent_later(receiver, told):
    a_gone_webhook(receiver)
    told.replies = ["451 try again later"]

    notices.send_due(at=NOON)
    notices.send_due(at=NOON + timedelta(minutes=9))
    early = list(told.mails)
    notices.send_due(at=NOON + timedelta(minutes=10))

    assert early == []
    assert len(told.mails) == 1


def test_nobody_is_told_of_a_webhook_that_an_admin_disables_or_has_enabled_again(receiver, told, admin):
    by_admin, _ = a_webhook(url=receiver.url)
    put(admin, f"{PATH}/{by_admin.id}", GIVEN | {"enabled": False})
    put(admin, f"{PATH}/{a_gone_webhook(receiver).id}", GIVEN)

    assert not notices.are_due(at=NOON + timedelta(days=30))


def test_without_addresses_no_notice_is_sent(receiver, settings):
    settings.WEBHOOK_NOTICE_EMAILS = []
    a_gone_webhook(receiver)

    assert not notices.are_due(at=NOON)
