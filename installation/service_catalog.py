"""The services and their ports, the source of all lists of services. `make new-service` adds a line."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Service:
    """Default ports of a service; a variable such as USERS_PORT overrides each."""

    port: int
    database_port: int  # only for local processes
    relay_metrics_port: int | None = None  # only for local processes; a service with an outbox has a relay


EVERY = {
    "users": Service(port=4000, database_port=24000, relay_metrics_port=24010),
    "auth": Service(port=4001, database_port=24001, relay_metrics_port=24011),
    "notification": Service(port=4002, database_port=24002),
}
SERVICES = {name: f"{name}-ms" for name in EVERY}  # by folder, the prefix of the service's routes
RELAYS = {name: f"{name.upper()}_RELAY_METRICS_PORT" for name, service in EVERY.items() if service.relay_metrics_port}


def ports() -> dict[str, int]:
    """The default port of each process of each service, by the name of the variable that overrides it."""
    numbers: dict[str, int] = {}
    for name, service in EVERY.items():
        numbers |= {f"{name.upper()}_PORT": service.port, f"{name.upper()}_DB_PORT": service.database_port}
        if service.relay_metrics_port:
            numbers[RELAYS[name]] = service.relay_metrics_port
    return numbers


def secret_names() -> list[str]:
    """The names of the secrets that each service has."""
    return [
        f"{name.upper()}_{secret}" for name in EVERY for secret in ("SECRET_KEY", "DB_PASSWORD", "SERVICE_DB_PASSWORD")
    ]
