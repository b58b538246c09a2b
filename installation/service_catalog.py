"""The services: where each listens, and what it has beside its web process. `make new-service` adds a line."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Service:
    """Ports on this machine; each is moved by a variable, such as USERS_PORT."""

    port: int
    database_port: int  # of local processes only
    relay_metrics_port: int | None = None  # of local processes only; a service with an outbox has a relay


EVERY = {
    "users": Service(port=4000, database_port=24000, relay_metrics_port=24010),
    "auth": Service(port=4001, database_port=24001, relay_metrics_port=24011),
    "notification": Service(port=4002, database_port=24002),
}
SERVICES = {name: f"{name}-ms" for name in EVERY}  # with the prefix of its routes
RELAYS = {name: f"{name.upper()}_RELAY_METRICS_PORT" for name, service in EVERY.items() if service.relay_metrics_port}


def ports() -> dict[str, int]:
    """The port of each part of each service, by the name of the variable that moves it."""
    numbers: dict[str, int] = {}
    for name, service in EVERY.items():
        numbers |= {f"{name.upper()}_PORT": service.port, f"{name.upper()}_DB_PORT": service.database_port}
        if service.relay_metrics_port:
            numbers[RELAYS[name]] = service.relay_metrics_port
    return numbers


def secret_names() -> list[str]:
    """The secrets that each service has."""
    return [
        f"{name.upper()}_{secret}" for name in EVERY for secret in ("SECRET_KEY", "DB_PASSWORD", "SERVICE_DB_PASSWORD")
    ]
