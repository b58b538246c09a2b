"""The port of each process on 127.0.0.1; an environment variable of the same name overrides it."""

import json
import os
import socket
import sys
from pathlib import Path

from local import service_catalog

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


def remembered(directory: Path) -> dict[str, int] | None:
    """The ports of the stack in `directory`; None when it was never started."""
    file = directory / "ports.json"
    return DEFAULTS | json.loads(file.read_text()) if file.exists() else None  # a newer version may have more processes


def remember(directory: Path, ports: dict[str, int]) -> None:
    """Stores the ports for the other commands on this stack."""
    (directory / "ports.json").write_text(json.dumps(ports, indent=2))


def wanted(defaults: dict[str, int] = DEFAULTS) -> dict[str, int]:
    """The ports in `defaults`, with overrides from the environment. Exits when an override is not a valid port."""
    ports = {}
    for name, default in defaults.items():
        text = os.environ.get(name) or str(default)
        if not text.isdecimal() or not 0 < int(text) < 65536:
            sys.exit(f"{name} must be a port from 1 to 65535; it is {text!r}.")
        ports[name] = int(text)
    return ports


def free(*more: str) -> dict[str, int]:
    """A free port for each process, and for each name in `more`."""
    probes = {name: socket.socket() for name in (*DEFAULTS, *more)}
    for probe in probes.values():
        probe.bind(("127.0.0.1", 0))
    ports = {name: probe.getsockname()[1] for name, probe in probes.items()}
    for probe in probes.values():
        probe.close()
    return ports


def reject_taken(ports: dict[str, int]) -> None:
    """Exits when a port is in use or assigned twice, naming the port and the variable that changes it."""
    taken = [name for name, port in ports.items() if is_taken(port)]
    twice = [name for name, port in ports.items() if list(ports.values()).count(port) > 1]
    if twice:
        sys.exit(f"These variables have the same port: {', '.join(twice)}.")
    if taken:
        lines = "\n".join(
            f"  {ports[name]} is taken; choose another: {name}={ports[name] % 50000 + 10000} make up" for name in taken
        )
        sys.exit(f"Nothing was started, because these ports are in use:\n{lines}")


def is_taken(port: int) -> bool:
    """True when another process listens on 127.0.0.1:`port`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def print_addresses(numbers: dict[str, int]) -> None:
    """Prints the table of addresses at the end of `make up`."""
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
            f"{urls['RABBITMQ_MANAGEMENT_PORT']} (user administrator, password: ADMINISTRATOR_BROKER_PASSWORD in .env)",
        ),
    ]
    print("\nTessera is running:")
    for name, url in rows:
        print(f"  {name:30}{url}")
    print("\nNext: make demo (a tour), make status, make logs, make admin EMAIL=you@example.org, make down")
