"""A service that an installation adds learns of registered clients from a queue of its own."""

import json

from kombu import Connection, Exchange, Queue

from evidence.harness.waiting import eventually


def test_a_queue_that_is_bound_to_client_changed_event_gets_every_change(stack, admin):
    token = admin["access_token"]
    with Connection(stack.broker_url) as connection:
        exchange = Exchange("client_changed_event", type="fanout", durable=True)
        queue = Queue("clients_of_a_test", exchange, durable=False, auto_delete=True)(connection.channel())
        queue.declare()
        received = []

        def published():
            while message := queue.get(no_ack=True):
                received.append(message.payload[1]["event"])
            return [each["data"]["change"] for each in received if each["data"]["client_id"] == made["client_id"]]

        body = {"name": "Billing", "redirect_uris": ["https://billing.example.org/callback"]}
        made = stack.call("POST", "/auth-ms/clients", body, token=token).json()
        path = f"/auth-ms/clients/{made['client_id']}"
        rotated = stack.call("POST", f"{path}/secrets", {}, token=token).json()
        stack.call("DELETE", path, token=token)

        eventually(lambda: sorted(published()) == ["created", "deleted", "secret_rotated"])
        queue.delete()
    for secret in (made["client_secret"], rotated["client_secret"]):
        assert secret not in json.dumps(received)
