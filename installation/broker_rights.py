"""The definitions that RabbitMQ loads at startup: exchanges, and a user with permissions for each process.

`make generate` creates `broker/rights.json` from the services' topologies; it belongs to a version. The passwords
belong to an installation: `users()` returns the other file, with their hashes.
https://www.rabbitmq.com/docs/definitions, https://www.rabbitmq.com/docs/access-control
"""

import base64
import hashlib
import importlib.util
import json
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from installation.service_catalog import RELAYS, SERVICES

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "broker" / "rights.json"
ADMINISTRATOR = "administrator"  # for operators and tests; no service has its password
OBSERVER = "queue-lengths"  # reads queue lengths for autoscaling
DAY_MILLISECONDS = 24 * 3600 * 1000
# Messages contain personal data; dead letters expire after one day.
POLICIES = [
    {
        "vhost": "/",
        "name": "dead-letters",
        "pattern": "[.]dead$",
        "apply-to": "queues",
        "definition": {"message-ttl": DAY_MILLISECONDS},
    }
]


def names() -> list[str]:
    """The broker's users; each has the name of its process."""
    return [permission["user"] for permission in json.loads(FILE.read_text())["permissions"]]


def secret_name(user: str) -> str:
    """The name of a user's password among the secrets, such as USERS_OUTBOX_RELAY_BROKER_PASSWORD."""
    return f"{user.replace('-', '_').upper()}_BROKER_PASSWORD"


def url(user: str, secrets: Mapping[str, str], address: str) -> str:
    """The URL with which `user` connects to the broker at `address`."""
    return f"amqp://{user}:{secrets[secret_name(user)]}@{address}/%2F"


def users(secrets: Mapping[str, str]) -> str:
    """The users' definitions as JSON. The passwords are long and random, so their hashes need no protection."""
    definitions = [
        {
            "name": name,
            "password_hash": _hash(secrets[secret_name(name)]),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": ["administrator"] if name == ADMINISTRATOR else [],
        }
        for name in names()
    ]
    return json.dumps({"vhosts": [{"name": "/"}], "users": definitions}, indent=2) + "\n"


def _hash(password: str) -> str:
    """https://www.rabbitmq.com/docs/passwords, with a salt derived from the password: the file is reproducible."""
    salt = hashlib.sha256(f"salt of {password}".encode()).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def urls(secrets: Mapping[str, str], address: str) -> dict[str, str]:
    """URLs for tests: BROKER_URL as the administrator, and one per user, such as USERS_OUTBOX_RELAY_BROKER_URL."""
    every = {f"{user.replace('-', '_').upper()}_BROKER_URL": url(user, secrets, address) for user in names()}
    return every | {"BROKER_URL": url(ADMINISTRATOR, secrets, address)}


def apply(management: str, secrets: Mapping[str, str], *, rights: str) -> list[str]:
    """Applies users and `rights` to a running broker through its management API; at startup it loads them itself.

    Deletes users that no process uses any more, which loading definitions never does, and returns their names. Does
    nothing when the broker does not answer or does not know the administrator yet.
    """
    import requests  # not installed where manifests are only checked

    with requests.Session() as session:
        session.auth = (ADMINISTRATOR, secrets[secret_name(ADMINISTRATOR)])
        try:
            answer = session.get(f"{management}/api/users", timeout=10)
        except requests.ConnectionError:
            return []
        if answer.status_code == requests.codes.unauthorized:
            return []
        answer.raise_for_status()
        for definitions in (users(secrets), rights):
            added = session.post(f"{management}/api/definitions", json=json.loads(definitions), timeout=30)
            added.raise_for_status()
        others = [str(user["name"]) for user in answer.json() if user["name"] not in names()]
        for name in others:
            session.delete(f"{management}/api/users/{name}", timeout=10).raise_for_status()
    return others


def generate() -> str:
    """The content of `broker/rights.json`, from the topologies."""
    from chassis.messaging import broker  # Celery is not installed where manifests are only checked

    relays: dict[str, set[str]] = {broker.relay_of(service): set() for service in RELAYS}
    events: set[str] = set()
    rights: list[dict[str, str]] = [
        {"user": ADMINISTRATOR, "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"},
    ]
    observed: list[str] = []
    for service in SERVICES:
        topology = _topology(service)
        if topology is None:
            continue
        every: list[str] = []
        for worker, queues in topology.queues_by_worker(queue_type="classic").items():
            own = [queue.name for queue in queues]
            rights.append(_of_worker(worker, own, {queue.exchange.name for queue in queues}))
            every += own
            for queue in queues:
                events.add(queue.exchange.name)
                for sender in queue.senders:
                    relays[broker.relay_of(sender)] |= {queue.exchange.name, queue.name}
        observed += every
        if redeliverer := getattr(topology, "REDELIVERED_BY", None):
            rights.append(_rights(redeliverer, write=["amq.default"], read=[f"{queue}.dead" for queue in every]))
    # Passive declaration takes some permission on the queue since RabbitMQ 4.3. `write` alone allows nothing else:
    # publishing to a queue takes the default exchange, and binding one takes permission to read an exchange.
    rights += [_rights(relay, write=own) for relay, own in relays.items()] + [_rights(OBSERVER, write=observed)]
    exchanges = [
        {"vhost": "/", "name": event, "type": "fanout", "durable": True, "auto_delete": False, "arguments": {}}
        for event in sorted(events)
    ]
    rights.sort(key=lambda permission: permission["user"])
    return json.dumps({"permissions": rights, "policies": POLICIES, "exchanges": exchanges}, indent=2) + "\n"


def _of_worker(worker: str, queues: list[str], events: Collection[str]) -> dict[str, str]:
    """A worker declares its queues, dead-letter queues and retry queues, binds, consumes, and publishes retries.

    Declaring a queue with a dead-letter exchange requires permission to write to that exchange, here the default
    exchange (amq.default), which routes to any queue. Consumers therefore check who published a message.
    """
    waiting = f"retry.{worker}.*s"
    return _rights(
        worker,
        configure=[*queues, *(f"{queue}.dead" for queue in queues), waiting],
        write=["amq.default", *queues, waiting],
        read=[*queues, *events, waiting],
    )


def _rights(
    user: str, *, configure: Collection[str] = (), write: Collection[str] = (), read: Collection[str] = ()
) -> dict[str, str]:
    return {"user": user, "vhost": "/", "configure": _any(configure), "write": _any(write), "read": _any(read)}


def _any(names: Collection[str]) -> str:
    """A pattern that matches exactly these names, in which * is a number; without names it matches nothing."""
    alternatives = "|".join(sorted(name.replace(".", "[.]").replace("*", "[0-9]+") for name in names))
    return f"^({alternatives})$" if alternatives else "^$"


def _topology(service: str) -> ModuleType | None:
    """The service's topology.py; None when it consumes nothing."""
    file = ROOT / service / f"{service}_ms" / "topology.py"
    if not file.exists():
        return None
    name = f"_topology_of_{service}"
    specification: Any = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module
