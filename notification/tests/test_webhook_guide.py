"""The receiver in docs/guides/webhooks.md, as a reader copies it."""

import re
import threading
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from django.utils import timezone

from notification.tests.builders import ADMIN, a_webhook, new_user_event
from notification_ms.webhooks.models import Delivery, Endpoint
from notification_ms.webhooks.services import endpoints, events, sending

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "webhooks.md"


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


@pytest.mark.django_db
def test_the_receiver_of_the_guide_accepts_each_event_once_and_nothing_forged(settings, monkeypatch, capsys):
    settings.PRIVATE_WEBHOOK_NETWORKS = ["127.0.0.1/32"]
    [code] = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    endpoint, secret = a_webhook()
    monkeypatch.setenv("WEBHOOK_SECRETS", secret)
    receiver: dict = {}
    exec(code, receiver)  # noqa: S102 - of this repository
    with make_server("127.0.0.1", 0, receiver["application"], handler_class=Quiet) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        Endpoint.objects.update(url=f"http://127.0.0.1:{server.server_port}/")
        events.take(event=new_user_event(), at=timezone.now())
        sending.send_due(endpoint_id=endpoint.id)
        accepted = Delivery.objects.get().answer_status
        for _ in range(2):
            endpoints.resend(
                endpoint_id=endpoint.id, delivery_id=Delivery.objects.get().id, actor=ADMIN, at=timezone.now()
            )
            sending.send_due(endpoint_id=endpoint.id)
        monkeypatch.setitem(receiver, "SECRETS", ["whsec_" + "A" * 32])
        endpoints.send_test(endpoint_id=endpoint.id, actor=ADMIN, at=timezone.now())
        sending.send_due(endpoint_id=endpoint.id)
        server.shutdown()

    forged = Delivery.objects.get(event__type="webhook_test")
    assert (accepted, forged.answer_status) == (204, 401)
    assert capsys.readouterr().out.count("user_created users/7") == 1
