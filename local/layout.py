"""A stack of local processes as data: its directory, ports, secrets and programs."""

from dataclasses import dataclass, field
from pathlib import Path

from installation import broker_rights
from local.paths import ROOT


@dataclass(frozen=True, kw_only=True)
class Program:
    """One process under the process manager."""

    name: str
    command: list[str]
    directory: Path = ROOT
    environment: dict[str, str] = field(default_factory=dict)
    port: int | None = None
    url: str | None = None  # answers 200 when the program is ready
    heartbeat: Path | None = None  # otherwise: this file exists once the program works
    stop_signal: str = "TERM"


@dataclass(frozen=True)
class Layout:
    """A stack: its data directory, ports and secrets."""

    directory: Path
    ports: dict[str, int]
    secrets: dict[str, str]
    variables: dict[str, str] = field(default_factory=dict)  # from the caller; override the defaults

    def database_url(self, service: str) -> str:
        """The URL for the role that the service's processes use."""
        return self._database_url(service, f"{service}_service", f"{service.upper()}_SERVICE_DB_PASSWORD")

    def database_owner_url(self, service: str) -> str:
        """The URL for the role that owns the database and migrates it."""
        return self._database_url(service, service, f"{service.upper()}_DB_PASSWORD")

    def _database_url(self, service: str, role: str, password: str) -> str:
        address = f"127.0.0.1:{self.ports[f'{service.upper()}_DB_PORT']}"
        return f"postgres://{role}:{self.secrets[password]}@{address}/{service}"

    @property
    def broker_url(self) -> str:
        """The URL for the administrator, which no process uses."""
        return self.broker_url_of(broker_rights.ADMINISTRATOR)

    def broker_url_of(self, user: str) -> str:
        """The URL for the broker's user of a process."""
        return broker_rights.url(user, self.secrets, f"127.0.0.1:{self.ports['RABBITMQ_PORT']}")

    def url(self, port: str) -> str:
        """The URL of the server on the port with that name."""
        return f"http://127.0.0.1:{self.ports[port]}"
