"""A product on its own server hears what happens to a user, by the real outboxes, broker and worker."""

import base64
import hashlib
import hmac
import json
import threading
from collections import Counter

import pyotp
import pytest

from evidence.harness.local_processes import need_private_addresses
from evidence.harness.local_server import QuietHandler, serving
from evidence.harness.stack import PASSWORD
from evidence.harness.waiting import eventually


class Product:
    """A receiver of webhooks: what it accepted."""

    def __init__(self):
        self.url = ""
        self.accepted = []
        self.secret = ""
        self.failures = 1

    def of(self, subject):
        """The events about a subject, in the order of their sequence within each source."""
        events = {event["id"]: event for event in self.accepted if event["subject"] == subject}
        return sorted(events.values(), key=lambda event: (event["source"], event["sequence"]))


@pytest.fixture
def product(stack):
    need_private_addresses(stack)
    product = Product()

    class Handler(QuietHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            product.failures -= 1
            if product.failures >= 0:
                self.send_response(503)
            elif not _is_signed(self.headers, body, product.secret):
                self.send_response(401)
            else:
                product.accepted.append(json.loads(body))
                self.send_response(204)
            self.end_headers()

    with serving(Handler) as address:
        product.url = f"{address}/hooks"
        yield product


def _is_signed(headers, body, secret):
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return headers["webhook-signature"] == expected and headers["webhook-id"] == json.loads(body)["id"]


@pytest.fixture
def webhook(stack, admin, product):
    """`webhook(product)`: registers it, and deletes it after the test."""
    made = []

    def register(product, **settings):
        body = {"url": product.url} | settings
        answer = stack.call("POST", "/notification-ms/webhooks", body, token=admin["access_token"])
        assert answer.status_code == 201, answer.text
        made.append(answer.json())
        product.secret = made[-1]["secret"]
        return made[-1]

    yield register
    for each in made:
        stack.call("DELETE", f"/notification-ms/webhooks/{each['id']}", token=admin["access_token"])


def test_a_product_hears_once_of_each_step_of_a_users_life(stack, product, webhook):
    webhook(product)

    user = stack.verified_user()
    token = stack.token_of(user["email"], PASSWORD)
    secret = stack.call("POST", "/auth-ms/auth/mfa/totp", token=token).json()["secret"]
    confirmed = stack.call("POST", "/auth-ms/auth/mfa/totp/confirm", {"code": pyotp.TOTP(secret).now()}, token=token)
    assert confirmed.status_code == 200, confirmed.text
    assert stack.call("DELETE", f"/users-ms/users/{user['id']}", token=token).status_code == 204

    subject = f"users/{user['id']}"
    expected = {
        "/auth-ms": ["session_started", "factor_added", "session_ended"],
        "/users-ms": ["user_created", "user_updated", "user_deleted"],
    }
    eventually(lambda: len(product.of(subject)) == 6)
    by_source = {
        source: [each["type"] for each in product.of(subject) if each["source"] == source] for source in expected
    }
    assert by_source == expected
    assert set(Counter(each["id"] for each in product.accepted if each["subject"] == subject).values()) == {1}
    everything = json.dumps(product.accepted)
    assert PASSWORD not in everything and secret not in everything
    [deleted] = [each for each in product.of(subject) if each["type"] == "user_deleted"]
    assert deleted["data"] == {"user_id": user["id"]}


def test_a_receiver_that_does_not_answer_delays_no_other(stack, product, webhook):
    with serving(_Silent) as silent:
        silent_product = Product()
        silent_product.url = silent
        webhook(silent_product)
        webhook(product)
        product.failures = 0
        for _ in range(3):
            user = stack.sign_up()
            eventually(lambda user=user: product.of(f"users/{user['id']}"))
        _Silent.pause.set()


class _Silent(QuietHandler):
    pause = threading.Event()

    def do_POST(self):
        self.pause.wait(60)
