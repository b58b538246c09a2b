"""`prepare_database`, run concurrently by the pods of a new version on a possibly empty database."""

import os
import subprocess
import sys
import time
import uuid
from urllib.parse import urlsplit

import psycopg2
import pytest
from psycopg2 import errors

PASSWORD = "only-for-this-test"


def execute(url, statement):
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else None
    finally:
        connection.close()


@pytest.fixture
def urls():
    """An empty database: its URLs as the owner, and as a service's role that does not exist yet."""
    given = os.environ["DATABASE_URL"]
    name = f"test_{uuid.uuid4().hex[:12]}"
    execute(given, f"CREATE DATABASE {name}")
    address = urlsplit(given)
    role = address._replace(netloc=f"{name}_role:{PASSWORD}@{address.hostname}:{address.port}", path=f"/{name}")
    yield address._replace(path=f"/{name}").geturl(), role.geturl()
    execute(given, f"DROP DATABASE {name} WITH (FORCE)")
    execute(given, f"DROP ROLE IF EXISTS {name}_role")


def prepare(owner, role, *arguments, command="prepare_database"):
    variables = os.environ | {"DATABASE_OWNER_URL": owner, "DATABASE_URL": role}
    command = [sys.executable, "-m", "django", command, *arguments]
    return subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_concurrent_runs_prepare_one_database(urls):
    owner, role = urls
    running = [prepare(owner, role) for _ in range(3)]
    said = [process.communicate(timeout=600)[0] for process in running]

    assert [process.returncode for process in running] == [0, 0, 0], said
    assert PASSWORD not in "".join(said)
    assert execute(role, "SELECT count(*) FROM outbox_outboxmessage") == [(0,)]
    for statement in ("CREATE TABLE mine (id int)", "DELETE FROM django_migrations", "DROP TABLE outbox_outboxmessage"):
        with pytest.raises(errors.InsufficientPrivilege):
            execute(role, statement)


@pytest.mark.parametrize(
    ("owner", "named"), [("", "DATABASE_OWNER_URL is not set"), (None, "DATABASE_OWNER_URL and DATABASE_URL have")]
)
def test_errors_name_missing_and_overprivileged_urls(urls, owner, named):
    role = urls[1]
    process = prepare(role if owner is None else owner, role)

    assert named in process.communicate(timeout=600)[0]
    assert process.returncode != 0


def test_workers_wait_until_the_database_is_migrated(urls):
    owner, role = urls
    waiting = prepare("", role, "--wait", "60", command="wait_for_migrations")
    assert prepare(owner, role).wait(timeout=600) == 0

    said = waiting.communicate(timeout=600)[0]

    assert waiting.returncode == 0, said
    assert said.count("waiting for the migrations") <= 3  # each reason once


def test_an_unreachable_database_is_waited_for_and_then_reported(urls):
    owner, role = urls
    nobody = urlsplit(owner)._replace(netloc="nobody:nobody@127.0.0.1:1").geturl()
    started = time.monotonic()
    process = prepare(nobody, role, "--wait", "2")

    said = process.communicate(timeout=600)[0]

    assert process.returncode != 0
    assert time.monotonic() - started > 2
    assert said.count("waiting for the database") == 1
    assert "The database does not answer" in said
    assert "nobody:nobody" not in said


def test_a_role_with_rights_of_an_owner_is_refused(urls):
    owner, role = urls
    name = urlsplit(role).username
    execute(owner, f"CREATE ROLE {name} CREATEDB")  # PASSWORD is set by the command

    process = prepare(owner, role)

    assert f"The role {name} may do more than a service should" in process.communicate(timeout=600)[0]
    assert process.returncode != 0
