import pytest
from django.conf import settings  # if outbox

from chassis.testing import contract  # if outbox
from chassis.testing.migrations import problems_of_older_code

CONTRACTS: dict[str, str] = {}  # names of migrations that remove something: why no running code needs it


def test_the_healthcheck_does_not_use_the_database(client):
    answer = client.get("/newservice-ms/healthcheck")  # without the django_db mark, pytest-django rejects queries

    assert answer.json() == {"status": "alive"}


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["ready", "metrics", "openapi.json", "openapi.yaml", "docs"])
def test_the_operational_routes_answer(client, path):
    assert client.get(f"/newservice-ms/{path}").status_code == 200


@pytest.mark.django_db
def test_older_code_can_use_the_current_tables():
    assert problems_of_older_code("items", contracts=CONTRACTS) == []


def test_the_relay_waits_for_all_queues_of_the_contract():  # if outbox
    assert contract.awaited_queues("newservice-ms") == settings.AWAITED_QUEUES  # if outbox
