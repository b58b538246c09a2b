"""`manage.py relay_outbox`: the relay process of a service."""

import functools
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from chassis.messaging import broker
from chassis.operations import metrics, pruning
from chassis.outbox.publisher import Publisher
from chassis.outbox.relay import Relay


class Command(BaseCommand):
    help = "Publishes the events of the outbox until stopped by SIGTERM or SIGINT."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        broker_url = broker.url_of_this_process()
        metrics.reset()
        metrics.serve()
        relay = Relay(functools.partial(Publisher, broker_url, awaited=settings.AWAITED_QUEUES))
        signal.signal(signal.SIGTERM, relay.stop)
        signal.signal(signal.SIGINT, relay.stop)
        pruning.start()
        relay.run()
