"""Dynamic client registration (RFC 7591, RFC 7592): off by default, by initial access token, and attacks on it."""

import hashlib

import pytest
from django.conf import settings
from django.test import Client

from auth.tests import oauth, signing
from auth.tests.builders import as_json, recorded
from auth_ms.models import AuditEvent, OAuthClient
from auth_ms.provider.services import registration
from chassis.security.rate_limits.services import Limit

pytestmark = pytest.mark.django_db
PATH = "/auth-ms/oauth/register"
RESOURCE = f"{settings.PUBLIC_URL}{PATH}"
METADATA = {"client_name": "Invoices", "redirect_uris": [oauth.CALLBACK]}
REGISTRAR = {
    "grant_types": ["client_credentials"],
    "redirect_uris": [],
    "scopes": ["clients:register"],
    "resources": [RESOURCE],
    "first_party": False,
}


@pytest.fixture(autouse=True)
def _on(settings):
    settings.CLIENT_REGISTRATION = "token"


@pytest.fixture
def registrar():
    """A client of an admin that may register others."""
    return oauth.register(**REGISTRAR)


@pytest.fixture
def initial(registrar):
    """Its token, the initial access token."""
    return token_of(registrar)


def token_of(app, **form):
    answer = app.post("token", grant_type="client_credentials", **form)
    assert answer.status_code == 200, answer.content
    return answer.json()["access_token"]


def bearer(token):
    return {"Authorization": f"Bearer {token}"} if token else {}


def create(token, **changes):
    members = {name: value for name, value in (METADATA | changes).items() if value is not ...}
    return Client().post(PATH, **as_json(members), headers=bearer(token))


def manage(method, made, *, token=None, body=None, client_id=None):
    path = f"{PATH}/{client_id or made['client_id']}"
    sent = as_json(body) if body is not None else {}
    headers = bearer(token or made["registration_access_token"])
    return getattr(Client(), method)(path, **sent, headers=headers)


def test_a_client_registers_and_its_secret_and_token_are_stored_as_hashes(initial, registrar):
    answer = create(initial)

    made = answer.json()
    assert answer.status_code == 201, made
    stored = OAuthClient.objects.get(client_id=made["client_id"])
    assert answer["Cache-Control"] == "no-store"
    assert made["client_secret_expires_at"] == 0
    assert made["registration_client_uri"] == f"{RESOURCE}/{made['client_id']}"
    assert made["redirect_uris"] == [oauth.CALLBACK]
    assert made["id_token_signed_response_alg"] == "RS256"
    assert made["response_types"] == ["code"]
    assert made["scope"] == "openid profile email phone address offline_access"
    token = made["registration_access_token"]
    assert bytes(stored.registration_token_hash) == hashlib.sha256(token.encode()).digest()
    assert not stored.first_party
    assert stored.require_pkce
    assert stored.resources == stored.web_origins == []
    event = AuditEvent.objects.get(event="client_created", details__client_id=made["client_id"])
    assert event.details["registered_by"] == registrar.client_id


def test_a_client_that_registered_itself_asks_the_user_for_consent(ada, initial):
    made = create(initial).json()
    app = oauth.Application(made["client_id"], made["client_secret"])
    browser = oauth.signed_in_browser(oauth.register())

    page = app.authorize(browser)

    assert page.status_code == 200
    assert 'value="consent"' in page.content.decode()
    assert f"nobody has checked its name. It leads to <code>{oauth.CALLBACK}</code>" in page.content.decode()
    code = oauth.members_of(oauth.submit(browser, page, decision="allow"))["code"]
    assert app.redeem(code).status_code == 200


def test_nothing_is_registered_or_managed_while_it_is_off(initial, settings):
    made = create(initial).json()
    settings.CLIENT_REGISTRATION = "off"

    answers = [create(initial), create(None), manage("get", made), manage("delete", made)]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert OAuthClient.objects.count() == 2


def test_what_a_client_says_of_itself_is_shown_once_an_admin_has_saved_it(ada, admin_client, initial, registrar):
    uris = {name: f"https://orders.example.org/{name}" for name in ("logo_uri", "client_uri", "policy_uri", "tos_uri")}
    made = create(initial, **uris).json()
    app = oauth.Application(made["client_id"], made["client_secret"])
    browser = oauth.signed_in_browser(oauth.register())
    path = f"/auth-ms/clients/{made['client_id']}"
    known = admin_client.get(path).json()

    before = app.authorize(browser)
    admin_client.put(path, **as_json({name: known[name] for name in ("name", "redirect_uris", "scopes", *uris)}))
    after = app.authorize(browser)

    assert {name: made[name] for name in uris} == uris
    assert known["registered_by"] == registrar.client_id
    assert not any(uri in before.content.decode() for uri in uris.values())
    assert "img-src 'self';" in before["Content-Security-Policy"]
    assert all(uri in after.content.decode() for uri in uris.values())
    assert "nobody has checked" not in after.content.decode()
    assert admin_client.get(path).json()["registered_by"] == registrar.client_id


def test_what_a_client_does_with_itself_is_published(initial):
    made = create(initial).json()
    manage("put", made, body=METADATA | {"client_id": made["client_id"], "client_name": "Bills"})
    manage("delete", made)

    told = [each for each in recorded("client_changed_event") if each["client_id"] == made["client_id"]]
    assert [(each["change"], each["changed"], each["actor"]) for each in told] == [
        ("created", [], "client"),
        ("changed", ["name"], "client"),
        ("deleted", [], "client"),
    ]


@pytest.mark.parametrize("name", ["openid-configuration", "oauth-authorization-server"])
@pytest.mark.parametrize(("value", "known"), [("token", RESOURCE), ("off", None)])
def test_discovery_names_the_endpoint_only_while_it_is_on(client, settings, name, value, known):
    settings.CLIENT_REGISTRATION = value

    assert client.get(f"/auth-ms/.well-known/{name}").json().get("registration_endpoint") == known


def test_no_client_is_registered_without_a_token_that_is_for_it(admin_client, initial, registrar):
    other = oauth.register(scopes=["clients:register"], grant_types=["client_credentials"])
    lacking = oauth.register(**REGISTRAR | {"scopes": ["users:read"]})
    account_token = admin_client.defaults["HTTP_AUTHORIZATION"].partition(" ")[2]

    assert create(None).json()["error"] == "invalid_token"
    assert create("nonsense").status_code == 401
    assert create(account_token).status_code == 401
    assert create(token_of(other)).status_code == 401
    answer = create(token_of(lacking))
    assert answer.status_code == 403
    assert answer.json()["error"] == "insufficient_scope"
    assert answer["WWW-Authenticate"].endswith('error="insufficient_scope", scope="clients:register"')
    registrar.change(is_active=False)
    answer = create(initial)
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer["WWW-Authenticate"]
    assert AuditEvent.objects.filter(event="client_authentication", outcome="failure").count() >= 4


def test_an_initial_access_token_is_of_no_use_once_an_admin_takes_scope_or_resource_away(initial, registrar):
    registrar.change(scopes=[])
    without_scope = create(initial)
    registrar.change(scopes=["clients:register"], resources=[])

    assert without_scope.status_code == 403
    assert create(initial).status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"grant_types": ["authorization_code", "client_credentials"], "redirect_uris": [oauth.CALLBACK]},
        {"dpop_bound_access_tokens": True},
    ],
)
def test_only_a_client_that_calls_as_itself_alone_may_have_a_resource_of_tessera(admin_client, changes):
    body = {"name": "Registrar", **REGISTRAR, **changes}

    answer = admin_client.post("/auth-ms/clients", **as_json(body))

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["resources"]


def test_a_users_token_with_that_audience_registers_nothing(ada):
    app = oauth.register()
    app.change(resources=[RESOURCE], scopes=["openid", "clients:register"])
    ada["scopes"] = ["clients:register"]
    browser = oauth.signed_in_browser(app)
    code = app.code(browser, scope="openid clients:register", resource=RESOURCE)
    token = app.redeem(code).json()["access_token"]

    assert create(token).status_code == 401


def test_a_token_for_another_or_a_second_audience_registers_nothing():
    several = oauth.register(**REGISTRAR | {"resources": [RESOURCE, oauth.API]})

    assert create(token_of(several, resource=RESOURCE)).status_code == 201
    assert create(token_of(several, resource=[RESOURCE, oauth.API])).status_code == 401
    assert create(token_of(several, resource=oauth.API)).status_code == 401


def test_a_token_that_is_bound_to_a_key_is_no_bearer_token(registrar):
    proof = signing.Key("ES256").proof()
    bound = registrar.post("token", proof, grant_type="client_credentials").json()

    assert bound["token_type"] == "DPoP"
    assert create(bound["access_token"]).status_code == 401


@pytest.mark.parametrize(
    "uri",
    [
        "http://orders.example.org/callback",
        "https://orders.example.org/callback#fragment",
        "https://ada@orders.example.org/callback",
        "https://orders.example.org/a/%2e%2E/callback",
        "https://*.example.org/callback",
        "https://Orders.example.org/callback",
        "https://ordérs.example.org/callback",
        "//orders.example.org/callback",
        "javascript:alert(1)",
        "data:text/html,hello",
        "https://orders.example.org\\@evil.example/callback",
        7,
        None,
        {"uri": oauth.CALLBACK},
    ],
)
def test_a_redirect_uri_that_could_mean_another_place_is_rejected(initial, uri):
    answer = create(initial, redirect_uris=[oauth.CALLBACK, uri])

    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_redirect_uri"


@pytest.mark.parametrize(
    "changes",
    [
        {"jwks_uri": "http://169.254.169.254/latest/meta-data", "token_endpoint_auth_method": "private_key_jwt"},
        {"jwks_uri": "https://127.0.0.1/keys", "token_endpoint_auth_method": "private_key_jwt"},
        {"jwks_uri": "https://[::1]/keys", "token_endpoint_auth_method": "private_key_jwt"},
        {"jwks_uri": "file:///etc/passwd", "token_endpoint_auth_method": "private_key_jwt"},
        {"backchannel_logout_uri": "http://users-ms:4000/users-ms/internal/users"},
        {"backchannel_logout_uri": "https://10.0.0.1/logout"},
        {"frontchannel_logout_uri": "https://evil.example/frame"},
        {"post_logout_redirect_uris": ["javascript:alert(1)"]},
        {"jwks": {"keys": []}, "token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": "client_secret_jwt"},
        {"grant_types": ["client_credentials"]},
        {"grant_types": ["implicit"]},
        {"grant_types": ["password"]},
        {"grant_types": ["authorization_code", ["refresh_token"]]},
        {"grant_types": "authorization_code"},
        {"response_types": ["token"]},
        {"response_types": ["code id_token"]},
        {"scope": "openid roles"},
        {"scope": "admin"},
        {"scope": "service"},
        {"scope": "clients:register"},
        {"scope": ["openid"]},
        {"scope": "open\x00id"},
        {"id_token_signed_response_alg": "none"},
        {"id_token_signed_response_alg": "HS256"},
        {"client_name": "Two\nlines"},
        {"client_name": 7},
        {"subject_type": "both"},
    ],
)
def test_what_would_weaken_a_client_is_rejected(initial, changes):
    answer = create(initial, **changes)

    assert answer.status_code == 400, answer.content
    assert answer.json()["error"] == "invalid_client_metadata"
    assert OAuthClient.objects.count() == 1


def test_what_only_admins_decide_is_ignored(initial):
    tried = {"first_party": True, "is_active": False, "require_pkce": False, "resources": [RESOURCE]}
    tried |= {"web_origins": ["https://evil.example"], "client_id": "chosen", "client_secret": "chosen"}
    tried |= {"scopes": ["admin"], "name": "Chosen", "registration_token_hash": "chosen", "sector_identifier_uri": "x"}

    made = create(initial, **tried).json()

    stored = OAuthClient.objects.get(client_id=made["client_id"])
    assert made["client_id"] != "chosen"
    assert made["client_secret"] != "chosen"
    assert not stored.first_party
    assert stored.is_active
    assert stored.require_pkce
    assert stored.resources == stored.web_origins == []
    assert stored.name == "Invoices"
    assert stored.scopes == registration.SCOPES


@pytest.mark.parametrize("body", ["[]", '"text"', "7", "null", "{", '{"scope": "openid", "scope": "email"}'])
def test_a_body_that_is_no_object_is_rejected(initial, body):
    answer = Client().post(PATH, body, content_type="application/json", headers=bearer(initial))
    form = oauth.post("register", bearer(initial), client_name="Orders")

    assert answer.status_code == form.status_code == 400
    assert answer.json()["error"] == form.json()["error"] == "invalid_client_metadata"


def test_a_client_for_codes_needs_a_place_to_send_them(initial):
    assert create(initial, redirect_uris=...).json()["error"] == "invalid_redirect_uri"


def test_a_device_registers_as_a_public_client_and_its_user_is_warned(ada, initial):
    device = "urn:ietf:params:oauth:grant-type:device_code"
    made = create(initial, redirect_uris=..., grant_types=[device], token_endpoint_auth_method="none").json()
    codes = oauth.post("device", client_id=made["client_id"], scope="openid")
    browser = oauth.signed_in_browser(oauth.register())

    page = browser.post("/auth-ms/oauth/verify", {"user_code": codes.json()["user_code"]})

    assert made["response_types"] == []
    assert not {"client_secret", "client_secret_expires_at"} & set(made)
    assert codes.status_code == 200
    assert "nobody has checked its name." in page.content.decode()
    assert "It leads to" not in page.content.decode()


def test_a_client_without_a_name_is_called_by_where_it_sends_its_users(initial):
    assert create(initial, client_name=...).json()["client_name"] == oauth.CALLBACK


def test_a_client_reads_changes_and_deletes_itself(initial):
    made = create(initial).json()
    told = manage("get", made)
    body = METADATA | {"client_id": made["client_id"], "client_name": "Bills", "scope": "openid"}
    changed = manage("put", made, body=body | {"client_secret": made["client_secret"]})
    deleted = manage("delete", made)

    assert told.status_code == 200
    assert told.json() == {name: value for name, value in made.items() if name != "client_secret"}
    assert changed.status_code == 200
    assert changed.json()["client_name"] == "Bills"
    assert changed.json()["scope"] == "openid"
    assert changed.json()["registration_access_token"] == made["registration_access_token"]
    assert deleted.status_code == 204
    assert manage("get", made).status_code == 401
    details = {"details__client_id": made["client_id"]}
    assert {event.event for event in AuditEvent.objects.filter(**details)} == {
        "client_created",
        "client_changed",
        "client_deleted",
    }


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_only_the_clients_own_registration_token_manages_it(initial, method):
    one, other = create(initial).json(), create(initial, client_name="Other").json()
    by_admin = oauth.register()
    body = METADATA | {"client_id": one["client_id"]} if method == "put" else None
    tokens = [other["registration_access_token"], initial, "nonsense", "", one["client_secret"]]

    answers = [manage(method, one, token=token or " ", body=body) for token in tokens]
    of_others = [manage(method, one, body=body, client_id=each) for each in (by_admin.client_id, "none")]

    for answer in (*answers, *of_others):
        assert answer.status_code == 401
        assert answer.json()["error"] == "invalid_token"
        assert 'error="invalid_token"' in answer["WWW-Authenticate"]
    assert OAuthClient.objects.count() == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "another"},
        {"client_id": None},
        {"client_secret": "chosen"},
        {"client_secret": 7},
        {"registration_access_token": "chosen"},
        {"client_id_issued_at": 0},
        {"scope": "openid roles"},
    ],
)
def test_a_change_cannot_choose_what_the_server_gives(initial, changes):
    made = create(initial).json()

    answer = manage("put", made, body=METADATA | {"client_id": made["client_id"]} | changes)

    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_client_metadata"


def test_a_client_that_an_admin_has_changed_is_the_admins(admin_client, initial):
    made = create(initial).json()
    path = f"/auth-ms/clients/{made['client_id']}"
    body = {"name": "Orders", "redirect_uris": [oauth.CALLBACK], "scopes": ["openid"], "first_party": True}
    admin_client.put(path, **as_json(body))

    answer = manage("put", made, body={"client_id": made["client_id"], "redirect_uris": ["https://evil.example/"]})

    assert answer.status_code == 401
    assert OAuthClient.objects.get(client_id=made["client_id"]).redirect_uris == [oauth.CALLBACK]


def test_a_deactivated_client_cannot_come_back_by_itself(initial):
    made = create(initial).json()
    OAuthClient.objects.filter(client_id=made["client_id"]).update(is_active=False)

    answer = manage("put", made, body=METADATA | {"client_id": made["client_id"]})

    assert answer.status_code == manage("get", made).status_code == 401
    assert not OAuthClient.objects.get(client_id=made["client_id"]).is_active


def test_a_client_may_only_register_so_many_others(initial, monkeypatch):
    monkeypatch.setattr(registration, "REGISTRATIONS", Limit(name="client_registration", times=2, seconds=3600))

    answers = [create(initial) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert answers[2].json()["error"] == "temporarily_unavailable"
    assert int(answers[2]["Retry-After"]) > 0


def test_what_rfc_7591_does_not_name_is_ignored(initial):
    answer = create(initial, of_another_server="x")

    assert answer.status_code == 201
    assert "of_another_server" not in answer.json()
