"""The port of each process on 127.0.0.1; an environment variable of the same name overrides it."""

import json
import os
import random
import socket
import sys
from pathlib import Path

from installation import service_catalog

DEFAULTS = service_catalog.ports() | {
    "GATEWAY_PORT": 8080,
    "RABBITMQ_PORT": 5672,
    "RABBITMQ_MANAGEMENT_PORT": 15672,
    "RABBITMQ_PROMETHEUS_PORT": 15692,
    "RABBITMQ_DISTRIBUTION_PORT": 25672,
    "EPMD_PORT": 24369,
    "SMTP_PORT": 1025,
    "MAIL_PORT": 8025,
    "SUPERVISOR_PORT": 24003,
    "AUTH_WORKER_METRICS_PORT": 24012,
    "EMAIL_WORKER_METRICS_PORT": 24013,
    "SMS_WORKER_METRICS_PORT": 24014,
}

CHOSEN_FROM = range(10000, 32768)  # below the ports that Linux gives to connections (net.ipv4.ip_local_port_range)
MOVE = 1000  # by how much a taken port is moved, once or several times


def remembered(directory: Path) -> dict[str, int] | None:
    """The ports of the stack in `directory`; None when it was never started."""
    file = directory / "ports.json"
    return DEFAULTS | json.loads(file.read_text()) if file.exists() else None  # a newer version may have more processes


def remember(directory: Path, ports: dict[str, int]) -> None:
    """Stores the ports for the other commands on this stack."""
    (directory / "ports.json").write_text(json.dumps(ports, indent=2))


def wanted(otherwise: dict[str, int] = DEFAULTS) -> dict[str, int]:
    """The ports in `otherwise`, but for those that a variable of their name sets. Exits when one is no port."""
    return {name: _number(name, os.environ.get(name) or str(port)) for name, port in otherwise.items()}


def first(otherwise: dict[str, int] = DEFAULTS) -> dict[str, int]:
    """Those that a start tries: `wanted(otherwise)`, or with PORT_OFFSET the defaults moved by it."""
    if offset := os.environ.get("PORT_OFFSET"):
        otherwise = {name: port + _number("PORT_OFFSET", offset) for name, port in DEFAULTS.items()}
    return wanted(otherwise)


def _number(name: str, text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        sys.exit(f"{name} must be a number from 1 to 65535; it is {text!r}.")
    return int(text)


def free(*more: str) -> dict[str, int]:
    """A free port for each process, and for each name in `more`.

    Not the kernel's choice: a port of its range may go to a connection before the process listens on it.
    """
    numbers = random.SystemRandom().sample(CHOSEN_FROM, 1000)
    unused = (number for number in numbers if number not in DEFAULTS.values() and not is_taken(number))
    return {name: next(unused) for name in (*DEFAULTS, *more)}


def without_taken(ports: dict[str, int]) -> dict[str, int]:
    """`ports`, but on those that something else uses already the next free one a thousand or more above, which is said.

    Exits when a port that a variable sets is taken, or two are the same.
    """
    set_by_variable = [name for name in ports if os.environ.get(name)]
    chosen = dict(ports)
    for name, port in ports.items():
        if not is_taken(port):
            continue
        if name in set_by_variable:
            sys.exit(f"Nothing was started, because {port} is taken, which {name} sets.")
        others = {other for each, other in chosen.items() if each != name}
        free = (other for other in range(port + MOVE, 65536, MOVE) if other not in others and not is_taken(other))
        chosen[name] = next(free, 0) or sys.exit(f"Nothing was started: {port} is taken; set another with {name}.")
        print(f"  {port} is taken: {name} is {chosen[name]}", flush=True)
    twice = [name for name, port in chosen.items() if list(chosen.values()).count(port) > 1]
    if twice:
        sys.exit(f"These have the same port: {', '.join(twice)}.")
    return chosen


def is_taken(port: int) -> bool:
    """True when another process listens on 127.0.0.1:`port`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def print_addresses(numbers: dict[str, int], *, broker: str) -> None:
    """The table that ends `make up`; `broker` says where the password of its administrator is."""
    urls = {name: f"http://127.0.0.1:{port}" for name, port in numbers.items()}
    rows = [
        ("gateway (all public routes)", urls["GATEWAY_PORT"]),
        ("Swagger UI of all services", f"{urls['GATEWAY_PORT']}/docs"),
        *(
            (prefix, f"{urls[f'{name.upper()}_PORT']}/{prefix}/docs")
            for name, prefix in service_catalog.SERVICES.items()
        ),
        ("sent emails", urls["MAIL_PORT"]),
        (
            "RabbitMQ management",
            f"{urls['RABBITMQ_MANAGEMENT_PORT']} (user administrator, password: {broker})",
        ),
    ]
    print("\nTessera is running:")
    for name, url in rows:
        print(f"  {name:30}{url}")
    print("\nNext: make demo (a tour), make status, make logs, make admin EMAIL=you@example.org, make down")
