"""Events posted to a backend, signed as in Standard Webhooks; the receiver is a real HTTP server."""

import base64
import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from notification.tests.builders import login_event
from notification_ms.deliveries import services
from notification_ms.deliveries.failures import PermanentFailure, TransientFailure
from notification_ms.deliveries.media import Webhook
from notification_ms.deliveries.models import Delivery

pytestmark = pytest.mark.django_db
KEY = b"a key of thirty-two random bytes"


class Receiver:
    """A backend that answers each webhook with the next of `statuses`, then with 204."""

    def __init__(self):
        self.statuses = []
        self.received = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.append((dict(self.headers), body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver(settings):
    receiver = Receiver()
    settings.WEBHOOK_URL = f"http://127.0.0.1:{receiver.server.server_port}/hooks"
    settings.WEBHOOK_SECRET = "whsec_" + base64.b64encode(KEY).decode()
    yield receiver
    receiver.close()


def test_every_sign_in_is_posted_whether_or_not_its_user_is_told(receiver, settings):
    settings.LOGIN_NOTICES = "new_devices"

    statuses = [services.notify(event=login_event(), medium=Webhook()).status for _ in range(2)]

    assert statuses == ["sent", "sent"]


def test_the_event_is_posted_unchanged_with_a_valid_signature(receiver):
    event = login_event()

    delivery = services.notify(event=event, medium=Webhook())

    [(headers, body)] = receiver.received
    assert delivery.status == "sent"
    assert json.loads(body) == event.as_dict()
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60


def test_every_attempt_has_the_same_id_for_deduplication(receiver):
    receiver.statuses = [500]
    event = login_event()

    with pytest.raises(TransientFailure, match="500"):
        services.notify(event=event, medium=Webhook())
    services.notify(event=event, medium=Webhook())

    first, second = (headers["webhook-id"] for headers, _ in receiver.received)
    assert first == second


@pytest.mark.parametrize("status", [302, 400, 404, 429, 500, 503])
def test_a_rejected_webhook_is_retried(receiver, status):
    receiver.statuses = [status]

    with pytest.raises(TransientFailure, match=str(status)):
        services.notify(event=login_event(), medium=Webhook())

    assert Delivery.objects.get().status == "pending"


def test_a_receiver_that_answers_410_is_not_retried(receiver):
    receiver.statuses = [410]

    with pytest.raises(PermanentFailure):
        services.notify(event=login_event(), medium=Webhook())


def test_an_unreachable_receiver_is_a_transient_failure(receiver):
    receiver.close()

    with pytest.raises(TransientFailure):
        services.notify(event=login_event(), medium=Webhook())
