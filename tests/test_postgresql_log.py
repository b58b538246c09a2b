"""PostgreSQL logs that a statement failed, but neither the statement nor its values."""

import os
import uuid
from contextlib import closing

import psycopg2
import pytest
from psycopg2 import errors

from evidence.harness.local_processes import layout_of
from evidence.harness.waiting import eventually

QUIET = {
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length_on_error": "0",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
}
NOTED = "violates not-null constraint"
VERBOSE = ["SET log_min_error_statement = error", "SET log_error_verbosity = default"]


def violate(connection, statement):
    """Violates a constraint with an INSERT whose address and password hash are markers."""
    marker = uuid.uuid4().hex
    with connection.cursor() as cursor, pytest.raises(errors.NotNullViolation):
        cursor.execute(statement, [f"{marker}@example.org", f"$2b$12${marker}"])
    return marker


INSERT = "INSERT INTO accounts_user (id, email, password_hash) VALUES (-1, %s, %s)"


@pytest.mark.parametrize("service", ["users", "auth", "notification"])
def test_every_server_is_configured_to_log_no_values(service):
    url = os.environ[f"{service.upper()}_DATABASE_URL"]
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(QUIET)])
        assert dict(cursor.fetchall()) == QUIET


def test_a_violated_constraint_is_logged_without_address_and_hash(stack):
    before = stack.log("users-db").count(NOTED)
    with closing(psycopg2.connect(os.environ["USERS_DATABASE_URL"])) as connection:
        marker = violate(connection, INSERT)

    eventually(lambda: stack.log("users-db").count(NOTED) > before)

    assert marker not in stack.log("users-db")


def test_default_settings_would_log_the_values(stack):
    layout = layout_of(stack.directory)
    url = f"host=127.0.0.1 port={layout.ports['USERS_DB_PORT']} dbname=users user=postgres"
    password = layout.secrets["POSTGRES_SUPERUSER_PASSWORD"]
    with closing(psycopg2.connect(url, password=password)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for setting in VERBOSE:
                cursor.execute(setting)
        marker = violate(connection, INSERT)

    eventually(lambda: marker in stack.log("users-db"))

    assert f"$2b$12${marker}" in stack.log("users-db")


def test_a_rejected_sign_up_leaves_no_address_in_the_log(stack):
    user = stack.sign_up()
    with pytest.raises(AssertionError):
        stack.sign_up(email=user["email"])

    assert user["email"] not in stack.log("users-db")
