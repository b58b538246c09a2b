"""A third channel beside emails and text messages: a worker with its own queues that posts events to a webhook."""

import base64
import hashlib
import hmac
import json

import pytest
from kombu import Connection

from evidence.harness.local_server import QuietHandler, serving
from evidence.harness.waiting import eventually
from evidence.harness.workers import workers

KEY = b"thirty-two bytes that are random"


@pytest.fixture
def backend():
    """A server for webhooks: its address, and the received requests."""
    received = []

    class Handler(QuietHandler):
        def do_POST(self):
            received.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500 if len(received) == 1 else 204)  # the first attempt fails
            self.end_headers()

    with serving(Handler) as address:
        yield f"{address}/hooks", received


@pytest.fixture
def webhook_worker(stack, backend):
    url, _ = backend
    secret = "whsec_" + base64.b64encode(KEY).decode()
    with workers(
        stack.directory, [{"NOTIFICATION_MEDIUM": "webhook", "WEBHOOK_URL": url, "WEBHOOK_SECRET": secret}]
    ) as [log]:
        yield log
    with Connection(stack.broker_url) as connection:  # without a worker, the queues would fill
        channel = connection.channel()
        for event in ("login", "new_user", "password_changed"):
            for suffix in ("", ".dead"):
                channel.queue_delete(f"{event}_webhook_notification{suffix}")


def test_a_backend_gets_a_signed_login_event_and_no_user_gets_a_second_email(stack, backend, webhook_worker):
    _, received = backend
    user = stack.verified_user()

    def posted(event_type):
        return [(headers, body) for headers, body in received if json.loads(body)["type"] == event_type]

    eventually(lambda: len(posted("new_user_event")) == 2)
    assert stack.log_in(user["email"]).status_code == 200
    [(headers, body)] = eventually(lambda: posted("user_login_event"))

    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert json.loads(body)["data"]["user_id"] == user["id"]
    assert len({headers["webhook-id"] for headers, _ in posted("new_user_event")}) == 1
    eventually(lambda: stack.mails(user["email"], "New sign-in"))
    assert len(stack.mails(user["email"], "Confirm your email address")) == 1
