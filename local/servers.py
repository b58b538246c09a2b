"""Creates and configures the private PostgreSQL clusters and the RabbitMQ node of a stack of local processes."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import psycopg2
from psycopg2 import sql

from installation import broker_rights
from local import installed_servers, programs
from local.layout import Layout
from local.paths import ROOT

CREATING_DATABASES = {"test", "bench"}  # folders of stacks whose database owners may create databases


def initialise_database(layout: Layout, service: str, *, say: Callable[[str], None]) -> None:
    """Creates a service's PostgreSQL cluster if it does not exist. Exits when that fails."""
    data = layout.directory / f"{service}-db"
    if (data / "PG_VERSION").exists():
        if installed_servers.postgresql_binaries(data) is None:
            made_by = (data / "PG_VERSION").read_text().strip()
            sys.exit(
                f"{data} needs PostgreSQL {made_by}, which is not found. Install it, or delete all data: make clean"
            )
        return
    say(f"{service}-db: creating a private PostgreSQL cluster")
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(mode=0o700)
    if os.geteuid() == 0:
        shutil.chown(data, "postgres", "postgres")
    with tempfile.NamedTemporaryFile("w", dir=layout.directory) as password_file:
        password_file.write(layout.secrets["POSTGRES_SUPERUSER_PASSWORD"] + "\n")
        password_file.flush()
        if os.geteuid() == 0:
            shutil.chown(password_file.name, "postgres")
        command = [*programs.as_postgres(layout.directory), f"{installed_servers.postgresql_binaries()}/initdb"]
        command += [f"--pgdata={data}", "--username=postgres", "--auth=scram-sha-256"]
        command += [f"--pwfile={password_file.name}", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/")
    if done.returncode:
        shutil.rmtree(data, ignore_errors=True)
        sys.exit(f"{done.stdout}{done.stderr}\n{service}-db could not be created.")


def configure_broker(layout: Layout) -> None:
    """Writes the configuration that the RabbitMQ node reads at startup."""
    home, numbers = layout.directory / "rabbitmq", layout.ports
    definitions = home / "definitions"
    definitions.mkdir(mode=0o700, exist_ok=True)
    (definitions / "10-users.json").write_text(broker_rights.users(layout.secrets))
    (definitions / "20-rights.json").write_text(broker_rights.generate())  # includes queues of uncommitted code
    lines = [
        f"listeners.tcp.local = 127.0.0.1:{numbers['RABBITMQ_PORT']}",
        "management.tcp.ip = 127.0.0.1",
        f"management.tcp.port = {numbers['RABBITMQ_MANAGEMENT_PORT']}",
        "prometheus.tcp.ip = 127.0.0.1",
        f"prometheus.tcp.port = {numbers['RABBITMQ_PROMETHEUS_PORT']}",
        "disk_free_limit.absolute = 50MB",
        "log.console.level = warning",
        (ROOT / "broker" / "rabbitmq.conf").read_text().replace("/etc/rabbitmq/definitions", str(definitions)),
    ]
    file = home / "rabbitmq.conf"
    file.touch(mode=0o600)
    file.write_text("\n".join(lines) + "\n")
    (home / "enabled_plugins").write_text("[rabbitmq_management,rabbitmq_prometheus].\n")


def ensure_role(layout: Layout, service: str) -> None:
    """Creates the database and its owner, which creates the processes' role; in a test stack also databases."""
    connection = connect_as_superuser(layout, layout.ports[f"{service.upper()}_DB_PORT"])
    connection.autocommit = True
    role = sql.Identifier(service)
    rights = sql.SQL("CREATEROLE CREATEDB" if layout.directory.name in CREATING_DATABASES else "CREATEROLE NOCREATEDB")
    password = sql.Literal(layout.secrets[f"{service.upper()}_DB_PASSWORD"])
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [service])
        if cursor.fetchone() is None:
            cursor.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, password))
        cursor.execute(sql.SQL("ALTER ROLE {} {}").format(role, rights))
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [service])
        if cursor.fetchone() is None:
            cursor.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
    connection.close()


def connect_as_superuser(layout: Layout, port: int | None) -> Any:
    """Connects to the cluster that listens on `port`. Raises OperationalError."""
    password = layout.secrets["POSTGRES_SUPERUSER_PASSWORD"]
    address = {"host": "127.0.0.1", "port": port, "connect_timeout": 10}
    return psycopg2.connect(user="postgres", dbname="postgres", password=password, **address)
