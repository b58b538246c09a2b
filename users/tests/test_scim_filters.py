"""Filters of SCIM: what they find, what is refused, and that no text does harm."""

import random
import string

import pytest
from django.db import connection
from django.utils import timezone

from users.tests.builders import an_organisation
from users.tests.scim import Scim, a_scim_client, ada, error, provisioned
from users_ms.accounts.models import User
from users_ms.scim import filters, selectors
from users_ms.scim.filters import Both, Comparison, Not, Path, Within
from users_ms.scim.models import ScimUser

NAMES = ["Ada", "Bob", "Eve"]


@pytest.fixture
def scim():
    return Scim(a_scim_client(an_organisation(), domains=["*"]))


@pytest.fixture
def people(scim):
    """By name, three users; Bob is not active and has no external id."""
    found = {}
    for name in NAMES:
        email = f"{name.lower()}%_@acme.example" if name == "Eve" else f"{name.lower()}@acme.example"
        user = ada(
            userName=name,
            name={"givenName": name, "familyName": "Lovelace" if name == "Ada" else "Other"},
            emails=[{"value": email, "type": "home" if name == "Eve" else "work", "primary": name != "Bob"}],
            externalId=None if name == "Bob" else f"id-{name}",
            active=name != "Bob",
        )
        found[name] = provisioned(scim, **user)
    group = {"displayName": "Engineering", "externalId": "g1", "members": [{"value": found["Ada"]["id"]}]}
    found["group"] = scim.post("/Groups", group).json()
    return found


FOUND = [
    ('userName eq "ada"', "Ada"),
    ('USERNAME Eq "ADA"', "Ada"),
    ('urn:ietf:params:scim:schemas:core:2.0:User:userName eq "ada"', "Ada"),
    ('userName ne "ada"', "Bob Eve"),
    ('userName sw "A"', "Ada"),
    ('userName co "v"', "Eve"),
    ('userName ew "B"', "Bob"),
    ('userName gt "ada"', "Bob Eve"),
    ('userName ge "ada" and userName lt "c"', "Ada Bob"),
    ('userName le "Bob"', "Ada Bob"),
    ("userName pr", "Ada Bob Eve"),
    ('externalId eq "id-Ada"', "Ada"),
    ('externalId eq "ID-ADA"', ""),
    ("externalId pr", "Ada Eve"),
    ("not (externalId pr)", "Bob"),
    ('emails.value eq "ADA@acme.example"', "Ada"),
    ('emails eq "ada@acme.example"', "Ada"),
    ('emails[type eq "work" and value co "acme"]', "Ada Bob"),
    ('emails[type eq "work"].value eq "x"', None),
    ('emails.value co "%_"', "Eve"),
    ('emails.value sw "_"', ""),
    ('emails.type eq "home"', "Eve"),
    ("emails.primary eq false", "Bob"),
    ('name.familyName eq "lovelace" or userName eq "Bob"', "Ada Bob"),
    ('userName eq "Eve" or userName eq "Ada" and active eq false', "Eve"),
    ('(userName eq "Eve" or userName eq "Ada") and active eq true', "Ada Eve"),
    ("active eq true", "Ada Eve"),
    ('active eq "False"', "Bob"),
    ("active eq True", "Ada Eve"),
    ("active ne true", "Bob"),
    ("active pr", "Ada Bob Eve"),
    ('meta.created gt "2020-01-01T00:00:00Z"', "Ada Bob Eve"),
    ('meta.created gt "0001-01-01T00:00:00+14:00"', "Ada Bob Eve"),
    ('meta.created lt "9999-12-31T23:59:59-14:00"', "Ada Bob Eve"),
    ('meta.lastModified lt "2020-01-01T00:00:00"', ""),
    ('id eq "{Ada}"', "Ada"),
    ('id eq "x"', ""),
    ('id ne "{Ada}"', "Bob Eve"),
    ('groups.value eq "{group}"', "Ada"),
    ('groups ne "{group}"', "Bob Eve"),
    ('groups.value eq "99"', ""),
]
REFUSED = [
    'password eq "x"',
    'title eq "x"',
    "userName eq 7",
    "userName eq null",
    "userName eq",
    "userName",
    'userName xx "a"',
    'userName eq "a" and',
    '(userName eq "a"',
    'userName eq "a")',
    'userName eq "a" userName eq "b"',
    'not userName eq "a"',
    "userName eq 'a'",
    r'userName eq "\ud800"',
    r'userName eq "\u0000"',
    r'userName eq "\x"',
    "active gt true",
    'active eq "perhaps"',
    'meta.created gt "yesterday"',
    'meta.created eq "2026-13-01T00:00:00Z"',
    'meta.created co "2026"',
    'id co "1"',
    "id eq 1",
    'groups[value eq "1"]',
    'name[givenName eq "x"]',
    'user__password_hash eq "x"',
    'a.b.c eq "x"',
    "x" * 2001,
    "(" * 11 + 'userName eq "a"' + ")" * 11,
    " or ".join(['userName eq "a"'] * 51),
    "'; DROP TABLE accounts_user; --",
]


@pytest.mark.django_db
def test_filters_find_users(scim, people):
    ids = {name: people[name]["id"] for name in people}
    for text, wanted in FOUND:
        for name, user_id in ids.items():
            text = text.replace(f"{{{name}}}", user_id)
        answer = scim.get("/Users", filter=text)
        if wanted is None:
            assert error(answer) == (400, "invalidFilter"), text
            continue
        found = [each["userName"] for each in answer.json()["Resources"]]
        assert (text, " ".join(found)) == (text, wanted)
        assert answer.json()["totalResults"] == len(found)


@pytest.mark.django_db
def test_other_filters_are_refused(scim, people):
    for text in REFUSED:
        assert error(scim.get("/Users", filter=text)) == (400, "invalidFilter"), text
        assert error(scim.get("/Groups", filter=text)) == (400, "invalidFilter"), text


@pytest.mark.django_db
def test_filters_find_groups(scim, people):
    ada, bob = people["Ada"]["id"], people["Bob"]["id"]
    found = {
        'displayName eq "engineering"': 1,
        'displayName sw "x"': 0,
        'externalId eq "g1"': 1,
        f'members.value eq "{ada}"': 1,
        f'members eq "{bob}"': 0,
        f'id eq "{people["group"]["id"]}" and members.value ne "{bob}"': 1,
        'meta.created gt "2020-01-01T00:00:00Z" and meta.lastModified pr': 1,
    }
    for text, number in found.items():
        assert (text, scim.get("/Groups", filter=text).json()["totalResults"]) == (text, number)


@pytest.mark.django_db
def test_pages_and_orders(scim, people):
    def page(**query):
        body = scim.get("/Users", **query).json()
        return body["totalResults"], body["startIndex"], [each["userName"] for each in body["Resources"]]

    assert page(startIndex=2, count=1) == (3, 2, ["Bob"])
    assert page(startIndex=0, count=1) == (3, 1, ["Ada"])
    assert page(startIndex=-5, count=-1) == (3, 1, [])
    assert page(count=0) == (3, 1, [])
    assert page(startIndex=4) == (3, 4, [])
    assert page(startIndex=10**17) == (3, 10_000_000, [])
    assert page(sortBy="userName", sortOrder="descending")[2] == ["Eve", "Bob", "Ada"]
    assert page(sortBy="NAME.familyName")[2] == ["Ada", "Bob", "Eve"]
    assert page(sortBy="externalId")[2][0] == "Bob"
    assert error(scim.get("/Users", sortBy="password")) == (400, "invalidPath")
    assert error(scim.get("/Users", sortBy="a b")) == (400, "invalidPath")
    assert error(scim.get("/Users", startIndex="x")) == (400, "invalidValue")
    assert error(scim.get("/Users", count="1" * 19)) == (400, "invalidValue")
    assert scim.get("/Users", surprise="ignored").status_code == 200
    assert scim.get("/Groups", sortBy="displayName").json()["totalResults"] == 1


@pytest.mark.django_db
def test_a_look_up_by_name_or_external_id_reads_an_index():
    """An identity provider asks this before each change; what it costs must not grow with the organisation."""
    organisation = an_organisation(slug="large", name="Large")
    now = timezone.now()
    users = User.objects.bulk_create(
        User(name="x", surname="x", email=f"u{n}@x.example", email_canonical=f"u{n}@x.example", password_hash="!")
        for n in range(2000)
    )
    ScimUser.objects.bulk_create(
        ScimUser(
            organisation=organisation,
            user=user,
            user_name=user.email,
            external_id=f"id-{user.id}",
            email_type="work",
            email_is_primary=True,
            created_at=now,
        )
        for user in users
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE scim_scimuser")
    for text, index in (
        ('userName eq "u7@x.example"', "scim_user_name_unique"),
        ('externalId eq "id-7"', "scim_user_external_id"),
    ):
        assert index in selectors.filter_users(organisation.id, text).explain()


def test_operators_bind_as_the_specification_says():
    a, b, c = (Comparison(name, "pr") for name in "abc")
    assert filters.parse("a pr or b pr and c pr") == Both(a, Both(b, c, is_or=False), is_or=True)
    assert filters.parse("(a pr or b pr) and not (c pr)") == Both(Both(a, b, is_or=True), Not(c), is_or=False)
    assert filters.parse('a[b eq "]"]') == Within("a", Comparison("b", "eq", "]"))
    assert filters.parse(r'a eq "\"é\u00e9"') == Comparison("a", "eq", '"éé')
    assert filters.parse("a gt -1.5") == Comparison("a", "gt", -1.5)
    assert filters.parse_path('emails[type eq "work"].value') == Path(
        "emails", filter=Comparison("type", "eq", "work"), sub="value"
    )
    assert filters.parse_path("name.familyName") == Path("name", sub="familyname")


def test_no_text_makes_the_parser_fail():
    """Every text is a filter or an InvalidFilter, in bounded depth; tokens in any order, and bytes at random."""
    rng = random.Random(26)
    tokens = [
        "userName",
        "emails",
        "eq",
        "pr",
        "co",
        "and",
        "or",
        "not",
        "(",
        ")",
        "[",
        "]",
        '"x"',
        "7",
        "true",
        ".v",
        '"',
    ]
    outcomes = {"parsed": 0, "refused": 0}
    for round_number in range(20_000):
        if round_number % 3:
            text = " ".join(rng.choices(tokens, k=rng.randrange(1, 14)))
        else:
            text = "".join(rng.choices(string.printable + "é\ud800\0", k=rng.randrange(0, 60)))
        for parse in (filters.parse, filters.parse_path):
            try:
                parse(text)
                outcomes["parsed"] += 1
            except filters.InvalidFilter:
                outcomes["refused"] += 1
    assert outcomes["parsed"] > 300 and outcomes["refused"] > 20_000
    for text in ("(" * 2000, "not(" * 500, "a[" * 1000, '"' + "\\" * 1999, "a eq " + "9" * 1990):
        with pytest.raises(filters.InvalidFilter):
            filters.parse(text)


def test_values_are_compared_as_their_kinds_allow():
    element = {"Value": "Ada", "n": 7, "on": True}
    for text, wanted in {
        'value eq "ADA"': True,
        'value ne "ADA"': False,
        'value co "d" and value sw "a" and value ew "a"': True,
        'value gt "aa" and value lt "b"': True,
        "value gt 7": False,
        "n ge 7 and n le 7": True,
        "on eq true": True,
        "on gt false": False,
        "missing pr": False,
        "missing eq null": True,
        'not (missing co "x")': True,
        'a[b eq "x"]': False,
    }.items():
        assert (text, filters.matches(filters.parse(text), element)) == (text, wanted)
    assert filters.matches(filters.parse("value pr"), "text") is False
