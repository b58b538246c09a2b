"""Callers' input stays text in filters (taken from the OpenAPI documents), headers, logs and emails."""

import http.client
import json
import re
import secrets
from urllib.parse import quote, quote_plus, urlsplit

import pytest
import requests

from evidence.harness.waiting import eventually

SERVICES = ["users", "auth", "notification"]
PAYLOADS = [
    "'", '"', "' OR '1'='1", "' OR 1=1--", "1 OR 1=1", "1; SELECT pg_sleep(60)--",
    "' UNION SELECT NULL--", "%", "_%", "\\",
    "'||pg_sleep(60)||'", "$$", "%27", "\x00", "\r\nX-Injected: 1", "{{7777*7777}}", "{% debug %}",
    "${7777*7777}", "#{7777*7777}", "%s%n", "{0.__class__}", "../../etc/passwd", "__class__", "id__gt", "9" * 400,
    "-1", "1e999", "NaN", "null", "true", "[]", "\u202e", "\ud7ff", "🎉" * 50, "x" * 4000,
    "<script>alert(1)</script>", "*)(uid=*))(|(uid=*", "sleep(60)",
]  # fmt: skip
# Words of errors of PostgreSQL, its driver and Python.
OF_THE_INSIDE = re.compile(
    r"\b(SELECT|INSERT|UPDATE|DELETE|WHERE|UNION|ERROR|DETAIL|HINT|SQLSTATE|LINE \d)\b|psycopg|Traceback|syntax error"
    r"|invalid input|relation \"|pg_|django|accounts_user|sign_in_|deliveries_|webhooks_|organisations_|/site-packages/"
)
NAMES = [
    "{{7777*7777}}<b>x</b>",
    "{% include 'x' %}",
    "${7777*7777}",
    "%(x)s",
    '"><script>alert(1)</script>',
    "{name.__class__}",
]


@pytest.fixture(scope="module")
def filters(stack):
    """Every query parameter of every operation that reads: (service, path, parameter)."""
    found = []
    for service in SERVICES:
        document = requests.get(f"{getattr(stack, service)}/{service}-ms/internal/openapi.json", timeout=60).json()
        for path, methods in document["paths"].items():
            for parameter in methods.get("get", {}).get("parameters", []):
                found += [(service, path, parameter["name"])] if parameter["in"] == "query" else []
    return found


@pytest.fixture(scope="module")
def user(stack):
    return stack.verified_user()


@pytest.fixture(scope="module")
def in_paths(stack, admins_email, user):
    """The parameters of the paths of these operations: of an event, a webhook, an organisation and a group that exist;
    and the token of a SCIM client."""
    token = stack.token_of(admins_email)
    webhook = stack.call(
        "POST", "/notification-ms/webhooks", {"url": "https://example.org/", "enabled": False}, token=token
    )
    given = {"name": "Acme", "slug": f"acme-{secrets.token_hex(8)}", "owner_id": user["id"]}
    organisation = stack.call("POST", "/users-ms/organisations", given, token=token)
    clients = f"/users-ms/organisations/{organisation.json()['id']}/scim-clients"
    scim_token = stack.call("POST", clients, {"name": "a directory", "domains": ["*"]}, token=token).json()["token"]
    staff = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Staff"}
    group = stack.call("POST", "/users-ms/scim/v2/Groups", staff, token=scim_token)
    assert group.status_code == 201, group.text
    yield {
        "group_id": group.json()["id"],
        "scim_token": scim_token,
        "event": "new_user_event",
        "user_id": user["id"],
        "webhook_id": webhook.json()["id"],
        "organisation_id": organisation.json()["id"],
    }
    stack.call("DELETE", f"/notification-ms/webhooks/{webhook.json()['id']}", token=token)


def without(payload, body):
    """The answer without the payload, which errors and links to other pages repeat."""
    safe = payload.encode(errors="replace").decode()
    in_json = (json.dumps(payload)[1:-1], json.dumps(payload, ensure_ascii=False)[1:-1])
    for written in (*in_json, quote_plus(safe), quote(safe)):
        body = body.replace(written, "")
    return body


def test_the_filters_are_found(filters):
    assert {("users", "/users-ms/users", "search"), ("auth", "/auth-ms/auth/audit-log", "event")} <= set(filters)
    assert len(filters) > 15


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: ascii(payload)[:24])
def test_no_filter_discloses_rows_or_fails(stack, filters, in_paths, admin, user, payload):
    """An admin may read all rows, so any match shows that the payload was not taken as text."""
    own = {"Authorization": f"Bearer {stack.log_in(user['email']).json()['access_token']}"}
    everything = {"Authorization": f"Bearer {admin['access_token']}"}
    provisioning = {"Authorization": f"Bearer {in_paths['scim_token']}"}
    for service, path, name in filters:
        path = path.format(**in_paths)
        for headers in (own, everything, provisioning):
            answer = requests.get(getattr(stack, service) + path, params={name: payload}, headers=headers, timeout=60)
            assert answer.status_code in (200, 400, 401, 403, 404), (path, name, answer.status_code)
            assert "X-Injected" not in answer.headers
            assert not OF_THE_INSIDE.search(without(payload, answer.text)), (path, name, answer.text)
            if answer.status_code == 200 and headers is own and path == "/notification-ms/notifications":
                assert {each["user_id"] for each in answer.json()["results"]} <= {user["id"]}
            if answer.status_code == 200 and path == "/users-ms/users" and name in ("email", "name", "surname"):
                found = {each[name] for each in answer.json()["results"]}
                assert found <= {payload}, (name, payload)  # another test may have made a user with this name


def test_sql_wildcards_are_literal_in_a_search(stack, admin):
    stack.sign_up()
    for wildcard in ("%", "_", "%a%", "\\"):
        answer = requests.get(
            f"{stack.users}/users-ms/users",
            params={"search": wildcard},
            headers={"Authorization": f"Bearer {admin['access_token']}"},
            timeout=60,
        )
        found = [f"{each['name']} {each['surname']} {each['email']}" for each in answer.json()["results"]]
        assert [each for each in found if wildcard not in each] == [], wildcard  # other tests' names may have it


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_plain_text_in_emails(stack, name):
    user = stack.verified_user(name=name)
    stack.log_in(user["email"]).raise_for_status()

    mail = eventually(lambda: stack.mails(user["email"], "New sign-in"))[0]
    shown = requests.get(f"{stack.mail}/api/v1/message/{mail['ID']}", timeout=60).json()

    assert name in shown["Text"].replace("[.]", ".")  # emails break dots, so that no name becomes a link
    assert "60481729" not in shown["Subject"] + shown["Text"].replace(user["email"], "")
    assert "<script" not in shown["HTML"] and "<b>" not in shown["HTML"]


FORGED = "12:00:00.000 INFO users-ms forged-line"
HEADERS = ["X-Request-ID", "traceparent", "User-Agent", "X-Forwarded-For", "Forwarded", "Host", "Idempotency-Key"]


def raw(url, path, headers):
    """Sends headers unchanged, encoded in Latin-1; http.client would reject line breaks."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.putrequest("GET", path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection._buffer.append(f"{name}: {value}".encode("latin-1"))
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


@pytest.mark.parametrize("ending", ["\r\n", "\n", "\r", "\x0b", "\x0c", "\x85", "\x1b[2J", "\0"], ids=ascii)
@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("where", ["users", "gateway"])
def test_no_header_injects_a_log_line_or_a_response_header(stack, where, header, ending):
    marker = secrets.token_hex(8)
    try:
        answer, _ = raw(
            getattr(stack, where),
            f"/users-ms/{marker}",
            {header: f"12345678{ending}Set-Cookie: {marker}=1{ending}{FORGED}"},
        )
    except http.client.HTTPException:
        return  # the server has closed the connection
    assert answer.status in (400, 404), answer.status
    assert "Set-Cookie" not in answer.headers
    assert re.fullmatch(r"[A-Za-z0-9._-]{8,64}", answer.headers.get("X-Request-ID", "none-of-a-bad-one"))


@pytest.mark.parametrize(
    "path", ["/users-ms/%0d%0a", "/users-ms/%0a", "/users-ms/%1b[31m", "/users-ms/%e2%80%a8", "/users-ms/%00"]
)
def test_no_path_injects_a_log_line(stack, path):
    marker = secrets.token_hex(8)

    answer, body = raw(stack.users, f"{path}{FORGED.replace(' ', '%20')}{marker}", {})

    assert answer.status in (400, 404)
    assert json.loads(body)["status"] == answer.status
    lines = eventually(lambda: [line for line in stack.log("users-ms").splitlines() if marker in line])
    assert not [line for line in lines if line.startswith(FORGED)]


def test_no_line_of_a_log_is_forged(stack):
    """Checks the logs after all tests above."""
    for program in ("users-ms", "gateway"):
        lines = stack.log(program).splitlines()
        assert not [line for line in lines if line.lstrip("\x1b[2J").startswith(FORGED)]
        assert not [line for line in lines if "\x1b" in line]
