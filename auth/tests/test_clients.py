"""Registering clients: by admins, strictly, with secrets that are shown once and can be rotated."""

import hashlib
from datetime import timedelta

import pytest
from django.utils import timezone

from auth.tests import oauth
from auth.tests.builders import as_json, recorded
from auth_ms.models import AuditEvent, ClientSecret
from chassis.outbox.models import OutboxMessage

pytestmark = pytest.mark.django_db
INPUT = {"name": "Orders", "redirect_uris": [oauth.CALLBACK], "scopes": ["openid"]}


def create(client, **changes):
    return client.post("/auth-ms/clients", **as_json(INPUT | changes))


def test_a_client_is_registered_with_a_secret_of_which_only_the_hash_is_stored(admin_client):
    answer = create(admin_client)

    made = answer.json()
    stored = ClientSecret.objects.get(client__client_id=made["client_id"])
    assert answer.status_code == 201
    assert answer["Cache-Control"] == "no-store"
    assert len(made["client_secret"]) >= 43
    assert bytes(stored.secret_hash) == hashlib.sha256(made["client_secret"].encode()).digest()
    assert "client_secret" not in admin_client.get(answer["Location"]).json()
    assert admin_client.get("/auth-ms/clients").json()["results"][0]["client_id"] == made["client_id"]
    assert AuditEvent.objects.get(event="client_created").actor_id == 1


def test_a_public_client_has_no_secret(admin_client):
    answer = create(admin_client, token_endpoint_auth_method="none")

    assert answer.json()["client_secret"] is None
    assert admin_client.post(f"{answer['Location']}/secrets", **as_json({})).status_code == 409


@pytest.mark.parametrize(
    "uri",
    [
        "http://orders.example.org/callback",
        "https://orders.example.org/callback#fragment",
        "https://ada@orders.example.org/callback",
        "https://ada:secret@orders.example.org/callback",
        "https://orders.example.org/a/../callback",
        "https://orders.example.org/a/%2e%2E/callback",
        "https://orders.example.org/./callback",
        "https://*.example.org/callback",
        "https://Orders.example.org/callback",
        "HTTPS://orders.example.org/callback",
        "https://orders.example.org:99999/callback",
        "https://ordérs.example.org/callback",
        "https://orders.example.org/call back",
        "https://orders.example.org\\@evil.example/callback",
        "//orders.example.org/callback",
        "/callback",
        "https:///callback",
        "javascript:alert(1)",
        "data:text/html,hello",
        "app:/callback",
        "org.example.app://callback",
        "https://[::1",
        "",
        "https://orders.example.org/" + "x" * 2000,
    ],
)
def test_a_redirect_uri_that_could_mean_another_place_is_rejected(admin_client, uri):
    answer = create(admin_client, redirect_uris=[uri])

    assert answer.status_code == 400
    assert "redirect_uris" in answer.json()["errors"]


@pytest.mark.parametrize(
    "uri",
    [
        "https://orders.example.org/callback?tenant=1",
        "https://orders.example.org:8443/callback",
        "http://localhost:3000/callback",
        "http://127.0.0.1/callback",
        "http://[::1]/callback",
        "org.example.app:/callback",
    ],
)
def test_a_redirect_uri_of_a_web_or_native_application_is_accepted(admin_client, uri):
    assert create(admin_client, redirect_uris=[uri]).status_code == 201


PRESENTATION = ["logo_uri", "client_uri", "policy_uri", "tos_uri"]


@pytest.mark.parametrize(
    "uri",
    [
        "http://orders.example.org/logo.png",
        "http://localhost/logo.png",
        "javascript:alert(1)",
        "data:image/png;base64,iVBORw0KGgo=",
        "blob:https://orders.example.org/1",
        "file:///etc/passwd",
        "org.example.app:/logo.png",
        "//orders.example.org/logo.png",
        "/logo.png",
        "https://ada@orders.example.org/logo.png",
        "https://ada:secret@orders.example.org/logo.png",
        "https://orders.example.org/logo.png#fragment",
        "https://orders.example.org/a/../logo.png",
        "https://*.example.org/logo.png",
        "https://ordérs.example.org/logo.png",
        "https://orders.example.org/logo\n.png",
        "https://orders.example.org/logo\x1b.png",
        "https://orders.example.org/\u202elogo.png",
        'https://orders.example.org/logo.png"onerror=',
        "https://orders.example.org;sandbox/logo.png",
        "https://orders.example.org,https:/logo.png",
        "https://orders.example.org'/logo.png",
        "https:///logo.png",
        "https://orders.example.org:99999/logo.png",
        " https://orders.example.org/logo.png",
        "https://orders.example.org/" + "x" * 2000,
        ["https://orders.example.org/logo.png"],
        7,
    ],
)
@pytest.mark.parametrize("field", PRESENTATION)
def test_a_logo_or_link_that_users_must_not_be_shown_is_rejected(admin_client, field, uri):
    answer = create(admin_client, **{field: uri})

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]


def test_logo_and_links_are_stored_changed_and_removed(admin_client):
    given = {name: f"https://orders.example.org:8443/{name}?size=1" for name in PRESENTATION}
    made = create(admin_client, **given).json()
    path = f"/auth-ms/clients/{made['client_id']}"
    known = admin_client.get(path).json()
    removed = admin_client.put(path, **as_json(INPUT)).json()

    assert {name: known[name] for name in PRESENTATION} == given
    assert {removed[name] for name in PRESENTATION} == {""}
    assert recorded("client_changed_event")[-1]["changed"] == ["client_uri", "logo_uri", "policy_uri", "tos_uri"]


@pytest.mark.parametrize("host", ["orders.example.org;sandbox", "orders.example.org,a", "orders.example.org'"])
def test_no_host_can_add_to_a_content_security_policy(admin_client, host):
    answers = [
        create(admin_client, redirect_uris=[f"https://{host}/"], frontchannel_logout_uri=f"https://{host}/logout"),
        create(admin_client, web_origins=[f"https://{host}"]),
    ]

    assert [answer.status_code for answer in answers] == [400, 400]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"scopes": ["admin"]}, "scopes"),
        ({"scopes": ["service"]}, "scopes"),
        ({"scopes": ["two words"]}, "scopes"),
        ({"resources": ["tessera"]}, "resources"),
        ({"resources": ["users-ms"]}, "resources"),
        ({"resources": ["https://api.example.org/#x"]}, "resources"),
        ({"web_origins": ["https://app.example.org/"]}, "web_origins"),
        ({"web_origins": ["*"]}, "web_origins"),
        ({"web_origins": ["null"]}, "web_origins"),
        ({"redirect_uris": []}, "redirect_uris"),
        ({"grant_types": ["implicit"]}, "grant_types"),
        ({"grant_types": ["password"]}, "grant_types"),
        ({"grant_types": ["client_credentials"], "token_endpoint_auth_method": "none"}, "grant_types"),
        ({"grant_types": ["refresh_token"]}, "grant_types"),
        ({"require_pkce": False, "token_endpoint_auth_method": "none"}, "require_pkce"),
        ({"signing_algorithm": "none"}, "signing_algorithm"),
        ({"signing_algorithm": "HS256"}, "signing_algorithm"),
        ({"name": "Two\nlines"}, "name"),
        ({"first_party": "yes"}, "first_party"),
    ],
)
def test_what_would_weaken_a_client_is_rejected(admin_client, changes, field):
    answer = create(admin_client, **changes)

    assert answer.status_code == 400
    assert field in str(answer.json()["errors"])


def test_a_client_is_changed_and_keeps_its_secret(admin_client):
    made = create(admin_client).json()

    answer = admin_client.put(f"/auth-ms/clients/{made['client_id']}", **as_json(INPUT | {"name": "Invoices"}))

    assert answer.status_code == 200
    assert answer.json()["name"] == "Invoices"
    assert ClientSecret.objects.count() == 1


def test_both_secrets_are_valid_during_a_rotation_and_only_the_new_one_after_it(admin_client):
    app = oauth.register()
    old, form = app.secret, {"client_id": app.client_id, "grant_type": "client_credentials"}
    path = f"/auth-ms/clients/{app.client_id}/secrets"

    new = admin_client.post(path, **as_json({"overlap_seconds": 60})).json()["client_secret"]
    during = [oauth.post("token", **form, client_secret=secret).status_code for secret in (old, new)]
    ClientSecret.objects.filter(expires_at__isnull=False).update(expires_at=timezone.now() - timedelta(seconds=1))
    after = [oauth.post("token", **form, client_secret=secret).status_code for secret in (old, new)]

    assert during == [200, 200]
    assert after == [401, 200]


def test_a_rotation_without_overlap_ends_a_stolen_secret_at_once(admin_client):
    app = oauth.register()
    admin_client.post(f"/auth-ms/clients/{app.client_id}/secrets", **as_json({"overlap_seconds": 0}))

    assert app.post("token", grant_type="client_credentials").status_code == 401


def test_every_change_of_a_client_is_published_without_secrets_or_personal_data(admin_client):
    made = create(admin_client).json()
    path = f"/auth-ms/clients/{made['client_id']}"
    admin_client.put(path, **as_json(INPUT | {"name": "Invoices", "scopes": ["openid", "email"]}))
    rotated = admin_client.post(f"{path}/secrets", **as_json({})).json()
    admin_client.delete(path)

    shared = {"client_id": made["client_id"], "changed": [], "actor": "admin"}
    assert recorded("client_changed_event") == [
        shared | {"change": "created"},
        shared | {"change": "changed", "changed": ["name", "scopes"]},
        shared | {"change": "secret_rotated"},
        shared | {"change": "deleted"},
    ]
    messages = OutboxMessage.objects.filter(exchange="client_changed_event")
    assert {message.body["subject"] for message in messages} == {f"clients/{made['client_id']}"}
    stored = repr(list(messages.values()))
    assert not any(each in stored for each in (made["client_secret"], rotated["client_secret"], "Invoices"))
    written = AuditEvent.objects.filter(event="client_changed").get()
    assert written.details == {"client_id": made["client_id"], "changed": ["name", "scopes"]}


def test_a_change_that_fails_is_not_published(admin_client):
    made = create(admin_client).json()

    answers = [
        admin_client.put(f"/auth-ms/clients/{made['client_id']}", **as_json(INPUT | {"redirect_uris": []})),
        admin_client.delete(f"/auth-ms/clients/{made['client_id'][::-1]}"),
    ]

    assert [answer.status_code for answer in answers] == [400, 404]
    assert [each["change"] for each in recorded("client_changed_event")] == ["created"]


def test_a_deleted_client_and_an_inactive_one_get_nothing(admin_client):
    gone, inactive = oauth.register(), oauth.register(is_active=False)
    admin_client.delete(f"/auth-ms/clients/{gone.client_id}")

    assert gone.post("token", grant_type="client_credentials").status_code == 401
    assert inactive.post("token", grant_type="client_credentials").status_code == 401


def test_a_client_can_be_changed_and_sent_back_as_it_was_read(admin_client):
    path = f"/auth-ms/clients/{create(admin_client).json()['client_id']}"

    answer = admin_client.put(path, **as_json(admin_client.get(path).json() | {"name": "Invoices"}))

    assert answer.status_code == 200, answer.json()
    assert answer.json()["name"] == "Invoices"


@pytest.mark.parametrize("field", ["client_secret", "redirect_uri"])
def test_a_field_that_is_never_shown_cannot_be_sent_with_a_change(admin_client, field):
    path = f"/auth-ms/clients/{create(admin_client).json()['client_id']}"

    answer = admin_client.put(path, **as_json(INPUT | {field: "https://orders.example.org/"}))

    assert answer.json()["error_codes"] == {field: ["unknown_field"]}
