import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings  # if outbox

from chassis.testing import contract  # if outbox
from chassis.testing.migrations import problems_of_older_code

CONTRACTS: dict[str, str] = {}  # the name of a migration that takes something away: why no running code needs it


def test_the_healthcheck_touches_no_database(client):
    answer = client.get("/newservice-ms/healthcheck")  # without the mark, pytest-django refuses any query

    assert answer.json() == {"status": "alive"}


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["ready", "metrics", "openapi.json", "openapi.yaml", "docs"])
def test_the_service_describes_itself(client, path):
    assert client.get(f"/newservice-ms/{path}").status_code == 200


@pytest.mark.django_db
def test_older_code_reads_and_writes_todays_tables():
    assert problems_of_older_code("items", contracts=CONTRACTS) == []


def test_the_relay_waits_for_every_queue_that_the_contract_names():  # if outbox
    assert contract.awaited_queues("newservice-ms") == settings.AWAITED_QUEUES  # if outbox


# if outbox
# if outbox
@pytest.mark.parametrize("name", ["DATABASE_URL", "SECRET_KEY", "AUTH_URL"])
def test_a_variable_that_is_missing_stops_the_start_and_is_named(name):
    variables = {key: value for key, value in os.environ.items() if key != name}

    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--config", "python:chassis.operations.gunicorn", "newservice_ms.wsgi"],
        env=variables | {"BIND": "127.0.0.1:0"},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode != 0
    assert f"newservice-ms cannot start: {name} is not set" in done.stderr
