import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth import hashers
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.utils import timezone

from chassis.database import migration_state
from chassis.operations.logs import JSONFormatter
from chassis.outbox.models import OutboxMessage
from chassis.testing import contract
from users.tests.builders import PASSWORD, a_user
from users_ms.accounts.models import User


def test_the_healthcheck_makes_no_query(client):
    answer = client.get("/users-ms/healthcheck")  # without the mark, pytest-django rejects any query

    assert answer.json() == {"status": "alive"}


def test_the_load_test_is_hidden_unless_it_is_enabled(client, settings):
    settings.LOAD_TEST_ENABLED = False

    assert client.get("/users-ms/load-test?n=10").status_code == 404


@pytest.mark.parametrize(("n", "status"), [("10", 200), ("0", 200), ("-1", 400), ("36", 400), ("x", 400)])
def test_the_load_test_computes_a_fibonacci_number(client, settings, n, status):
    settings.LOAD_TEST_ENABLED = True

    answer = client.get(f"/users-ms/load-test?n={n}")

    assert answer.status_code == status
    if n == "10":
        assert answer.json() == {"n": 10, "fibonacci": 55}


@pytest.mark.parametrize(("path", "status"), [("/", 404), ("/users-ms/nothing", 404), ("/users-ms/users/", 404)])
def test_an_unknown_route_is_a_problem_document(client, path, status):
    answer = client.get(path)

    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_wrong_method_is_a_problem_document(client):
    answer = client.delete("/users-ms/healthcheck")

    assert answer.status_code == 405
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["openapi.json", "openapi.yaml", "docs"])
def test_the_service_publishes_its_openapi_document(client, path):
    assert client.get(f"/users-ms/{path}").status_code == 200


def test_concurrent_first_requests_get_the_openapi_document():
    """In a new process, because the document is generated once per process."""
    program = (
        "import django; django.setup()\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from django.test import Client\n"
        "ask = lambda _: Client(raise_request_exception=False).get('/users-ms/openapi.json').status_code\n"
        "print(set(ThreadPoolExecutor(8).map(ask, range(16))))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=600)

    assert done.stdout == "{200}\n", done.stderr


def test_the_relay_waits_for_every_documented_queue():
    assert contract.awaited_queues("users-ms") == settings.AWAITED_QUEUES


def test_an_unexpected_error_is_a_500_without_details_and_logs_its_traceback(monkeypatch, caplog):
    def fail():
        raise RuntimeError("a defect")

    monkeypatch.setattr(migration_state, "check", fail)

    answer = Client(raise_request_exception=False).get("/users-ms/ready")

    assert answer.status_code == 500
    assert "a defect" not in answer.text
    [record] = [record for record in caplog.records if record.exc_info]
    assert "a defect" in JSONFormatter("users-ms").format(record)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"DATABASE_URL": None}, "DATABASE_URL is not set"),
        ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL must be a URL"),
        ({"SECRET_KEY": None}, "SECRET_KEY is not set"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY needs at least"),
        ({"AUTH_URL": None}, "AUTH_URL is not set"),
        ({"BROKER_URL": "http://broker"}, "BROKER_URL must be a URL"),
        ({"BCRYPT_COST": "many"}, "BCRYPT_COST is not a valid value"),
        ({"LOAD_TEST_ENABLED": "perhaps"}, "LOAD_TEST_ENABLED is not a valid value"),
        ({"SIGN_UP": "closed"}, "SIGN_UP must be one of open, domain, off"),
        ({"SIGN_UP": "domain"}, "SIGN_UP_DOMAINS is empty"),
        ({"SIGN_UP_DOMAINS": "*.example.org"}, "SIGN_UP_DOMAINS contains '*.example.org'"),
        ({"SECRET_KEY_FILE": "/nowhere"}, "SECRET_KEY_FILE cannot be read"),
    ],
)
def test_a_missing_or_invalid_variable_is_named_at_startup(changes, named):
    variables = {name: value for name, value in (dict(os.environ) | changes).items() if value is not None}

    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--config", "python:chassis.operations.gunicorn", "users_ms.wsgi"],
        env=variables | {"BIND": "127.0.0.1:0"},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=600,
    )

    assert done.returncode != 0
    assert f"users-ms cannot start: {named}" in done.stderr


@pytest.mark.django_db
def test_create_admin_takes_the_password_from_the_environment(monkeypatch, capsys):
    monkeypatch.setenv("ADMIN_PASSWORD", PASSWORD)

    call_command("create_admin", "--email", "root@example.org")

    assert User.objects.get().is_admin
    assert User.objects.get().email_verified
    assert PASSWORD not in capsys.readouterr().out


@pytest.mark.django_db
def test_create_admin_takes_the_password_from_a_file(monkeypatch, tmp_path):
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    monkeypatch.setenv("ADMIN_PASSWORD_FILE", str(file))

    call_command("create_admin", "--email", "root@example.org")

    assert User.objects.get().is_admin


@pytest.mark.django_db
def test_create_admin_does_not_promote_an_unverified_user(monkeypatch):
    """A stranger who signed up with the operator's address must not become an admin."""
    squatter = a_user()
    monkeypatch.setenv("ADMIN_PASSWORD", "the operators own words")

    with pytest.raises(CommandError, match="--promote"):
        call_command("create_admin", "--email", "ADA@example.org")
    with pytest.raises(CommandError, match="The address is not verified"):
        call_command("create_admin", "--email", "ADA@example.org", "--promote")

    stored = User.objects.get()
    assert (stored.is_admin, stored.password_hash) == (False, squatter.password_hash)
    assert OutboxMessage.objects.count() == 1  # from the sign-up


@pytest.mark.django_db
def test_create_admin_promotes_a_verified_user_and_sets_the_password(monkeypatch, capsys):
    a_user(email_verified=True)
    monkeypatch.setenv("ADMIN_PASSWORD", "the operators own words")

    call_command("create_admin", "--email", "ADA@example.org", "--promote")

    stored = User.objects.get()
    assert stored.is_admin
    assert hashers.check_password("the operators own words", stored.password_hash)
    changed, password = OutboxMessage.objects.order_by("id")[1:]
    assert (changed.body["data"]["change"], changed.body["data"]["is_admin"]) == ("rights_changed", True)
    assert (password.exchange, password.body["data"]["kept_session_id"]) == ("password_changed_event", None)
    assert "all sessions have ended" in capsys.readouterr().out


@pytest.mark.django_db
@pytest.mark.parametrize("email", ["nobody", "root@example.org"])
def test_create_admin_rejects_an_invalid_address(monkeypatch, email):
    monkeypatch.setenv("ADMIN_PASSWORD", "123")

    with pytest.raises(CommandError):
        call_command("create_admin", "--email", email)

    assert not User.objects.exists()


@pytest.mark.django_db
def test_metrics_show_the_lag_of_the_relay(client):
    def lag():
        lines = client.get("/users-ms/metrics").content.decode().splitlines()
        values = dict(line.split() for line in lines if not line.startswith("#"))
        return float(values["outbox_unpublished_events"]), float(values["outbox_lag_seconds"])

    assert lag() == (0, 0)
    a_user()
    OutboxMessage.objects.update(created_at=timezone.now() - timedelta(seconds=90))

    waiting, seconds = lag()
    assert waiting == 1
    assert seconds >= 89
    OutboxMessage.objects.update(published_at=timezone.now())
    assert lag() == (0, 0)
