"""Every field of every route: invalid input gets a 4xx problem document and changes nothing."""

import pytest

from auth.tests.builders import as_json
from auth_ms.models import AuditEvent, OneTimeToken, Session
from chassis.outbox.models import OutboxMessage

pytestmark = pytest.mark.django_db
FIELDS = [
    ("login", {"username": "ada@example.org", "password": "x"}),
    ("login/mfa", {"mfa_token": "x", "method": "totp", "code": "000000"}),
    ("login/passkey", {"credential": {}}),
    ("refresh", {"refresh_token": "x"}),
    ("password/change", {"current_password": "x", "new_password": "a longer staple of horses"}),
    ("password/forgot", {"email": "nobody@example.org"}),
    ("password/reset", {"token": "x", "new_password": "a longer staple of horses"}),
    ("email/verify", {"token": "x"}),
    ("mfa/totp/confirm", {"code": "000000"}),
    ("passkeys", {"name": "x", "credential": {}}),
    ("introspect", {"token": "x"}),
]
NEED_A_SESSION = ["password/change", "mfa/totp/confirm", "passkeys"]
VALUES = [None, 7, 1.5, True, [], {}, "", "x" * 5000, "a\0b", "‮drawkcab", "🎉" * 200, "\ud800"]
BODIES = [
    (b"", 400),
    (b"x", 400),
    (b"[]", 400),
    (b"null", 400),
    (b"7", 400),
    (b'{"a": 1, "a": 2}', 400),
    (b'{"a": NaN}', 400),
    (b'{"a": "\xff"}', 400),
    (b"[" * 60_000, 400),
    (b'{"a": "' + b"x" * 70_000 + b'"}', 413),
]


@pytest.fixture
def client_for(request, ada):
    """`client_for("passkeys")`: a client that may use the route, signed in only where required."""
    names = {"introspect": "admin_client", **dict.fromkeys(NEED_A_SESSION, "ada_client")}
    return lambda path: request.getfixturevalue(names.get(path, "client"))


def assert_rejected(answer):
    assert 400 <= answer.status_code < 500, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("value", VALUES, ids=lambda value: ascii(value)[:20])
@pytest.mark.parametrize(("path", "body"), FIELDS, ids=[path for path, _ in FIELDS])
def test_every_field_rejects_invalid_values(client_for, path, body, value):
    client = client_for(path)
    before = (Session.objects.count(), OutboxMessage.objects.count(), OneTimeToken.objects.count())

    for field in body:
        answer = client.post(f"/auth-ms/auth/{path}", **as_json(body | {field: value}))
        if path == "introspect" and answer.status_code == 200:  # any text may be introspected
            assert answer.json() == {"active": False}
            continue
        assert_rejected(answer)

    assert (Session.objects.count(), OutboxMessage.objects.count(), OneTimeToken.objects.count()) == before


@pytest.mark.parametrize(("path", "body"), FIELDS, ids=[path for path, _ in FIELDS])
def test_every_missing_field_is_named(client_for, path, body):
    client = client_for(path)

    for field in body:
        answer = client.post(f"/auth-ms/auth/{path}", **as_json({name: body[name] for name in body if name != field}))
        assert answer.status_code == 400
        assert field in answer.json()["errors"]


@pytest.mark.parametrize(("body", "status"), BODIES, ids=range(len(BODIES)))
@pytest.mark.parametrize("path", [path for path, _ in FIELDS])
def test_a_body_that_is_not_a_json_object_is_rejected(client_for, path, body, status):
    client = client_for(path)

    answer = client.post(f"/auth-ms/auth/{path}", body, content_type="application/json")

    assert answer.status_code == status
    assert_rejected(answer)


@pytest.mark.parametrize("path", ["sessions", "passkeys", "audit-log"])
@pytest.mark.parametrize("query", ["limit=0", "limit=x", "cursor=x", "cursor=after-9223372036854775808", "limit=1%00"])
def test_an_invalid_page_is_rejected(admin_client, path, query):
    assert_rejected(admin_client.get(f"/auth-ms/auth/{path}?{query}"))


@pytest.mark.parametrize(
    ("path", "body"),
    [("login", {"username": "ada@example.org", "password": "x"}), ("password/forgot", {"email": "ada@example.org"})],
)
def test_a_malformed_user_agent_causes_no_error(client, ada, path, body):
    answer = client.post(f"/auth-ms/auth/{path}", headers={"User-Agent": "\0🎉" + "x" * 5000}, **as_json(body))

    assert answer.status_code in (401, 202)
    assert len(AuditEvent.objects.get().user_agent) <= 200
