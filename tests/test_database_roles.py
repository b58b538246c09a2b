"""The database role of a service's processes can neither change tables nor rewrite the audit log."""

import os

import psycopg2
import pytest
from psycopg2 import errors

SERVICES = ["users", "auth", "notification"]


@pytest.fixture
def query():
    """`query("auth", sql)` runs as the role of a service's processes, and is rolled back."""
    connections = []

    def run(service, statement):
        connection = psycopg2.connect(os.environ[f"{service.upper()}_DATABASE_URL"])
        connections.append(connection)
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else None

    yield run
    for connection in connections:
        connection.rollback()
        connection.close()


@pytest.mark.parametrize("service", SERVICES)
def test_the_role_has_no_permissions_beyond_rows(query, service):
    [(role, *rights)] = query(
        service,
        "SELECT rolname, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls"
        " FROM pg_roles WHERE rolname = current_user",
    )

    assert role == f"{service}_service"
    assert not any(rights)
    assert query(service, "SELECT relname FROM pg_class WHERE relowner = current_user::regrole") == []
    assert query(service, "SELECT count(*) FROM django_migrations")[0][0] > 0


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id int)",
        "DROP TABLE django_migrations",
        "ALTER TABLE django_migrations ADD COLUMN mine int",
        "DELETE FROM django_migrations",
        "TRUNCATE django_migrations",
        "CREATE ROLE mine",
        "CREATE DATABASE mine",
    ],
)
def test_the_role_cannot_change_tables(query, service, statement):
    with pytest.raises((errors.InsufficientPrivilege, errors.ActiveSqlTransaction)):
        query(service, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sign_in_auditevent SET outcome = 'success'",
        "DELETE FROM sign_in_auditevent",
        "TRUNCATE sign_in_auditevent",
        "ALTER TABLE sign_in_auditevent DISABLE TRIGGER ALL",
        "INSERT INTO sign_in_auditevent (id, at, event, outcome, username, user_agent, request_id, details)"
        " OVERRIDING SYSTEM VALUE SELECT id, at, 'x', outcome, '', '', '', '{}' FROM sign_in_auditevent"
        " ON CONFLICT (id) DO UPDATE SET event = 'x'",
    ],
)
def test_the_audit_log_is_append_only(query, statement):
    with pytest.raises(errors.InsufficientPrivilege):
        query("auth", statement)


def test_the_role_can_write_and_read_the_audit_log(stack, query):
    user = stack.verified_user()
    stack.log_in(user["email"])

    written = query("auth", "SELECT user_id, event FROM sign_in_auditevent")
    assert (user["id"], "login") in written
