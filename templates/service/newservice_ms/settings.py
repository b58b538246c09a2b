"""All variables that newservice-ms reads, with their defaults and meanings."""

from chassis.operations.environment import Environment
from chassis.operations.settings import shared_settings

environment = Environment("newservice-ms")

globals().update(
    shared_settings(
        environment,
        import_root="newservice_ms",
        applications=[
            "chassis.outbox",  # if outbox
            "newservice_ms.items",
        ],
        awaited_queues={},  # if outbox
    )
)

KEY_SOURCE = "chassis.security.public_keys.PublishedKeys"
AUTH_URL = environment.url("AUTH_URL", "auth-ms, such as http://auth-ms:4000", schemes=["http", "https"])
COLLECTORS: list[str] = []  # if no outbox
PRUNERS: list[str] = []  # if no outbox
