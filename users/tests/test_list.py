import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chassis.testing import large_tables
from users.tests.builders import a_user
from users_ms.accounts.models import User

pytestmark = pytest.mark.django_db


def names(answer):
    return [user["name"] for user in answer.json()["results"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["Root", "Ada", "Grace", "Alan"]),
        ({"email": "GRACE@example.org"}, ["Grace"]),
        ({"name": "ada"}, ["Ada"]),
        ({"surname": "HOPPER"}, ["Grace"]),
        ({"name": "ada", "surname": "hopper"}, []),
        ({"search": "A"}, ["Ada", "Alan"]),
        ({"search": "turing@"}, ["Alan"]),
        ({"search": "%"}, []),
        ({"search": "' OR 1=1 --"}, []),
    ],
)
def test_filters_ignore_case_and_search_matches_prefixes(admin, query, expected):
    a_user(name="Ada", surname="Lovelace", email="ada@example.org")
    a_user(name="Grace", surname="Hopper", email="grace@example.org")
    a_user(name="Alan", surname="Mathison", email="turing@example.org")

    answer = admin.get("/users-ms/users", query)

    assert answer.status_code == 200
    assert names(answer) == expected


def test_pages_lead_forward_and_back_without_gaps(admin):
    for number in range(4):
        a_user(name=f"u{number}", email=f"u{number}@example.org")

    first = admin.get("/users-ms/users", {"limit": 2})
    second = admin.get(first.json()["next"])
    third = admin.get(second.json()["next"])
    back = admin.get(third.json()["previous"])

    pages = [names(page) for page in (first, second, third, back)]
    assert pages == [["Root", "u0"], ["u1", "u2"], ["u3"], ["u1", "u2"]]
    assert first.json()["previous"] is None
    assert third.json()["next"] is None


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("limit", "0"),
        ("limit", "201"),
        ("limit", "x"),
        ("cursor", "after-x"),
        ("cursor", "after-9223372036854775808"),
        ("email", "a" * 255),
        ("search", "\0"),
    ],
)
def test_an_invalid_parameter_is_named(admin, parameter, value):
    answer = admin.get("/users-ms/users", {parameter: value})

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [parameter]


def test_reading_the_own_profile_takes_one_query(caller, auth_service, django_assert_num_queries):
    user = a_user()
    itself = caller(user_id=user.id)

    for path in ("me", user.id):
        with django_assert_num_queries(1):
            itself.get(f"/users-ms/users/{path}")
    assert auth_service.asked == []  # no call: the token suffices to read


def test_checking_an_admins_rights_takes_one_more_query(admin, auth_service, django_assert_num_queries):
    user = a_user()

    with django_assert_num_queries(2):
        admin.get(f"/users-ms/users/{user.id}")
    assert len(auth_service.asked) == 1


def test_a_logins_lookup_takes_one_query(auth_ms, django_assert_num_queries):
    user = a_user()

    for query in ({"email": "ADA@example.org"}, {"user_id": user.id}):
        with django_assert_num_queries(1):
            assert auth_ms.get("/users-ms/internal/credentials", query).status_code == 200


def test_a_list_takes_one_query_besides_the_check_of_rights(admin, django_assert_num_queries):
    for number in range(3):
        a_user(email=f"u{number}@example.org")

    with django_assert_num_queries(2):
        admin.get("/users-ms/users")


@pytest.fixture
def many_users(db):
    """Twenty thousand users, half of them named Ada, with the statistics for the planner."""
    large_tables.execute(
        """
        INSERT INTO accounts_user (name, surname, email, password_hash, email_verified, phone, locale, time_zone,
                                   attributes, is_active, is_admin, updated_at)
        SELECT CASE n % 2 WHEN 0 THEN 'Grace' ELSE 'Ada' END, 'Surname' || n, 'user' || n || '@example.org', 'x',
               false, '', 'en', 'UTC', '{}', true, false, now()
        FROM generate_series(1, 20000) AS n
    """,
        "ANALYZE accounts_user",
    )


def pages_read(admin, query):
    """The number of 8 KiB pages that PostgreSQL read, and the plan."""
    with CaptureQueriesContext(connection) as captured:
        assert len(admin.get("/users-ms/users", query).json()["results"]) > 0
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + captured[0]["sql"])
        [plan] = cursor.fetchone()[0]
    return plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"], str(plan)


@pytest.mark.parametrize(
    "query", [{}, {"name": "ADA"}, {"search": "ada"}, {"search": "Grace", "name": "grace"}], ids=str
)
def test_a_deep_page_costs_as_much_as_the_first(admin, many_users, query):
    deep = User.objects.order_by("id")[18_000].id

    first, _ = pages_read(admin, query)
    last, _ = pages_read(admin, query | {"cursor": f"after-{deep}"})

    assert last <= 1.3 * first + 5


@pytest.mark.parametrize(
    "query",
    [{"name": "ADA"}, {"surname": "SURNAME77"}, {"email": "USER77@example.org"}, {"search": "surname1234"}],
    ids=str,
)
def test_filters_and_prefix_searches_use_an_index(admin, many_users, query):
    _, plan = pages_read(admin, query)

    assert "Seq Scan" not in plan
    assert "Index Cond" in plan or "accounts_user_pkey" in plan
