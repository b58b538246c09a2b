"""The plans of every list and filter of users-ms on 1,000,000 users, as PostgreSQL makes them. No sequential scans."""

import itertools
import os
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest

from evidence.bench import data
from local import stack

FILTERS = {
    "email": ["bench.777777@example.org", "nobody@example.org"],
    "name": ["Name7", "nobody"],
    "surname": ["Surname7", "nobody"],
    "search": ["Name7", "surname", "bench.7777", "nobody", "%"],
}
CHOSEN = [{}] + [{name: value} for name, values in FILTERS.items() for value in values]
CHOSEN += [
    {one: FILTERS[one][0], other: FILTERS[other][0]}
    for one, other in itertools.combinations(["name", "surname", "search"], 2)
]


@pytest.fixture(scope="module")
def rows():
    """The users' queries, in a database with a million of them that is gone afterwards."""
    layout = stack.running(Path(os.environ["TESSERA_DIRECTORY"]))
    assert layout is not None
    url = data.load(layout, rows=data.LARGE, password_hash="x" * 80)
    os.environ["DATABASE_URL"] = url
    import django

    django.setup()
    yield
    from django.db import connection

    connection.close()
    admin = psycopg2.connect(layout.database_owner_url("users"))
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {urlsplit(url).path[1:]}")
    admin.close()


@pytest.mark.parametrize("cursor", ["first", "deep", "backwards"])
@pytest.mark.parametrize("chosen", CHOSEN, ids=str)
def test_a_list_goes_by_an_index(rows, chosen, cursor):
    from users_ms.accounts import selectors

    found = selectors.find_users(**chosen)
    if cursor == "deep":
        found = found.filter(id__gt=900_000)
    order = "-id" if cursor == "backwards" else "id"
    plan = found.order_by(order)[:51].explain()

    assert "Seq Scan" not in plan, plan


def test_a_filter_without_an_index_would_be_noticed(rows):
    from users_ms.accounts.models import User

    assert "Seq Scan" in User.objects.filter(phone="+390612345678").explain()
