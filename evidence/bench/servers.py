"""Further web processes: users-ms and the stock service, on the databases of the benchmark."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg2
import requests

from chassis.operations.cpus import count
from local import ports, programs
from local.layout import Layout, Program
from local.paths import ROOT
from local.running_program import running_program


@contextmanager
def users(layout: Layout, database: str, variables: dict[str, str] | None = None) -> Iterator[str]:
    """users-ms on `database`; yields its address."""
    own = replace(layout, ports=layout.ports | {"USERS_PORT": ports.free()["USERS_PORT"]})
    program = programs.web(own, "users")
    environment = program.environment | {"DATABASE_URL": database} | (variables or {})
    with running_program(own, replace(program, name="bench-users-ms", environment=environment)):
        yield own.url("USERS_PORT")


@contextmanager
def stock(layout: Layout, database: str, variables: dict[str, str] | None = None) -> Iterator[str]:
    """The stock service on `database`, under gunicorn with as many processes and threads; yields its address."""
    url = f"http://127.0.0.1:{(port := ports.free()['USERS_PORT'])}"
    environment = _stock_environment(layout, database) | (variables or {})
    processes, threads = environment.get("WEB_PROCESSES", str(count())), environment.get("WEB_THREADS", "8")
    options = ["--workers", processes, "--threads", threads, "--keep-alive", "75", "--bind", f"127.0.0.1:{port}"]
    command = [sys.executable, "-m", "gunicorn", "--no-control-socket", *options, "evidence.bench.stock.wsgi"]
    with running_program(
        layout,
        Program(name="bench-stock", command=command, environment=environment),
        ready=lambda: _answers(f"{url}/users/"),
    ):
        yield url


@contextmanager
def signed(layout: Layout) -> Iterator[tuple[str, int]]:
    """An empty application that signs a token, under the same gunicorn; yields its address and process id."""
    url = f"http://127.0.0.1:{(port := ports.free()['USERS_PORT'])}"
    options = ["--workers", str(count()), "--threads", "8", "--keep-alive", "75", "--bind", f"127.0.0.1:{port}"]
    command = [sys.executable, "-m", "gunicorn", "--no-control-socket", *options, "evidence.bench.signed:application"]
    program = Program(name="bench-signed", command=command, environment={"PYTHONPATH": str(ROOT)})
    with running_program(layout, program, ready=lambda: _answers(url)) as process:
        yield url, process.pid


def _answers(url: str) -> bool:
    """True when it answers without a server error."""
    try:
        return requests.get(url, timeout=2).status_code < 500
    except requests.RequestException:
        return False


def _stock_environment(layout: Layout, database: str) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "evidence.bench.stock.settings",
        "SECRET_KEY": layout.secrets["USERS_SECRET_KEY"],
        "DATABASE_URL": database,
        "PYTHONPATH": str(ROOT),
    }


def prepare_stock(layout: Layout, owner_url: str) -> None:
    """Create the stock service's tables beside Tessera's, with the same users."""
    environment = os.environ | _stock_environment(layout, owner_url)
    migrate = [sys.executable, "-m", "django", "migrate", "--run-syncdb", "--verbosity", "0"]
    subprocess.run(migrate, cwd=ROOT, env=environment, check=True)
    connection = psycopg2.connect(owner_url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(_SAME_USERS)
        cursor.execute("SELECT setval(pg_get_serial_sequence('stock_user', 'id'), max(id)) FROM stock_user")
        cursor.execute("VACUUM (ANALYZE) stock_user")
    connection.close()


def stock_token(layout: Layout, database: str, user_id: int) -> str:
    """An access token of Simple JWT that is valid for the whole run."""
    code = (
        "import django; django.setup()\n"
        "from datetime import timedelta\n"
        "from rest_framework_simplejwt.tokens import AccessToken\n"
        f"token = AccessToken(); token['user_id'] = '{user_id}'; token.set_exp(lifetime=timedelta(hours=3))\n"
        "print(token)"
    )
    environment = os.environ | _stock_environment(layout, database)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


_SAME_USERS = """
    INSERT INTO stock_user (id, password, is_superuser, name, surname, email, email_verified, phone, locale, time_zone,
                            attributes, is_active, scopes, created_at, updated_at)
    SELECT id, password_hash, is_admin, name, surname, email, email_verified, phone, locale, time_zone,
           attributes, is_active, scopes, created_at, updated_at
    FROM accounts_user
"""
