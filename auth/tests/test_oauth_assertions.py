"""private_key_jwt: clients that prove themselves with a key (RFC 7523, and OpenID Connect Core 1.0, §9)."""

import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
import time_machine
from cryptography import x509
from django.conf import settings
from django.test import Client
from django.utils import timezone

from auth.tests import oauth
from auth.tests.builders import as_json
from auth.tests.signing import ASSERTION_TYPE, Key
from auth_ms.keys.services import documents, key_sets
from auth_ms.models import AuditEvent, ClientSecret, UsedJWT
from auth_ms.provider.services import pruning
from chassis.testing.certificate_authority import Authority

pytestmark = pytest.mark.django_db
KEY, OTHER = Key(kid="one"), Key(kid="one")
TOKEN_ENDPOINT = f"{settings.PUBLIC_URL}/auth-ms/oauth/token"
OWN = {"grant_type": "client_credentials"}


def register(key=KEY, **changes):
    values = {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key.public]}} | changes
    return oauth.register(**values)


@pytest.fixture
def app():
    return register()


def own_token(assertion, endpoint="token", **form):
    return oauth.post(endpoint, **OWN | assertion | form)


def rejected(answer):
    return (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "PS256"])
@pytest.mark.parametrize("kid", ["one", None])
def test_a_client_proves_itself_with_each_algorithm(algorithm, kid):
    key = Key(algorithm, kid=kid)
    app = register(key)

    answer = own_token(key.assertion(app.client_id))

    assert answer.status_code == 200, answer.content
    assert app.secret is None
    assert ClientSecret.objects.count() == 0


@pytest.mark.parametrize(
    "audience", [settings.PUBLIC_URL, TOKEN_ENDPOINT, [settings.PUBLIC_URL], [TOKEN_ENDPOINT, settings.PUBLIC_URL]]
)
def test_the_audience_is_the_issuer_or_the_token_endpoint(app, audience):
    assert own_token(KEY.assertion(app.client_id, aud=audience)).status_code == 200


def test_each_endpoint_for_clients_takes_an_assertion(app):
    token = own_token(KEY.assertion(app.client_id)).json()["access_token"]

    def ask(endpoint, **form):
        return oauth.post(endpoint, **KEY.assertion(app.client_id), **form)

    pushed = ask("par", **app.query())
    own = KEY.assertion(app.client_id, aud=f"{settings.PUBLIC_URL}/auth-ms/oauth/par")
    introspected = ask("introspect", token=token)
    revoked = ask("revoke", token=token)

    assert (pushed.status_code, introspected.json()["active"], revoked.status_code) == (201, True, 200)
    assert oauth.post("par", **own, **app.query()).status_code == 201
    assert ask("introspect", token=token).json() == {"active": False}


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://other.example"},
        {"aud": [settings.PUBLIC_URL, "https://other.example"]},  # which could present it here
        {"aud": []},
        {"aud": {"a": 1}},
        {"aud": None},
        {"aud": "tessera"},
        {"iss": "somebody-else"},
        {"sub": "somebody-else"},
        {"sub": None},
        {"iss": None},
        {"exp": None},
        {"exp": 10**30},
        {"exp": "soon"},
        {"jti": None},
        {"jti": 5},
        {"header": {"typ": "at+jwt"}},
        {"header": {"typ": "logout+jwt"}},
        {"header": {"typ": "dpop+jwt"}},
        {"header": {"typ": 5}},
        {"header": {"kid": "two"}},
        {"header": {"crit": ["exp"]}},
    ],
)
def test_an_assertion_that_says_anything_else_is_rejected(app, changes):
    assert rejected(own_token(KEY.assertion(app.client_id, **changes)))


@pytest.mark.parametrize(("name", "seconds"), [("exp", -60), ("exp", 7200), ("iat", 600), ("nbf", 600)])
def test_an_assertion_of_another_time_is_rejected(app, name, seconds):
    assert rejected(own_token(KEY.assertion(app.client_id, **{name: int(time.time()) + seconds})))


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_an_assertion_of_a_clock_that_is_a_little_ahead_is_accepted(app, name):
    assert own_token(KEY.assertion(app.client_id, **{name: int(time.time()) + 8})).status_code == 200


def test_an_assertion_works_once_also_at_another_endpoint(app):
    assertion = KEY.assertion(app.client_id)
    first = own_token(assertion)

    assert first.status_code == 200
    assert rejected(own_token(assertion))
    assert rejected(oauth.post("introspect", **assertion, token="x"))


def test_two_clients_may_use_the_same_jti():
    apps = [register(), register()]

    assert [own_token(KEY.assertion(app.client_id, jti="1")).status_code for app in apps] == [200, 200]


def test_a_used_assertion_is_remembered_until_it_has_expired(app):
    assertion = KEY.assertion(app.client_id)
    own_token(assertion)
    pruning.prune(at=timezone.now())
    assert rejected(own_token(assertion))

    with time_machine.travel(time.time() + 70):
        pruning.prune(at=timezone.now())
        assert not UsedJWT.objects.exists()
        assert rejected(own_token(assertion))


def test_the_signature_must_be_of_a_registered_key(app):
    assert rejected(own_token(OTHER.assertion(app.client_id)))


def test_a_public_key_is_no_secret_and_no_signature_is_no_proof(app):
    claims = jwt.decode(KEY.assertion(app.client_id)["client_assertion"], options={"verify_signature": False})
    for forged in (jwt.encode(claims, KEY.public["x"], "HS256"), jwt.encode(claims, "", "none")):
        assert rejected(own_token({"client_assertion_type": ASSERTION_TYPE, "client_assertion": forged}))


@pytest.mark.parametrize("token", ["x", "a.b.c", "e30.e30.e30", "." * 2, "x" * 5000])
def test_what_is_no_jwt_is_rejected(token):
    assert rejected(own_token({"client_assertion_type": ASSERTION_TYPE, "client_assertion": token}))


def test_our_own_tokens_are_no_assertions(app, ada, sign_in):
    browser = Client()
    code = oauth.members_of(oauth.sign_in(browser, app.authorize(browser)))["code"]
    form = {"grant_type": "authorization_code", "redirect_uri": oauth.CALLBACK, "code_verifier": oauth.VERIFIER}
    tokens = oauth.post("token", **form, code=code, **KEY.assertion(app.client_id)).json()

    for token in (tokens["id_token"], tokens["access_token"], sign_in()["access_token"]):
        assert rejected(own_token({"client_assertion_type": ASSERTION_TYPE, "client_assertion": token}))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}, "invalid_request"),
        ({"client_assertion_type": None}, "invalid_request"),
        ({"client_assertion": None}, "invalid_request"),
        ({"client_secret": "x"}, "invalid_request"),
        ({"client_id": "somebody-else"}, "invalid_client"),
    ],
)
def test_each_malformed_request_has_its_code(app, changes, code):
    form = OWN | KEY.assertion(app.client_id) | changes

    answer = oauth.post("token", **{name: value for name, value in form.items() if value is not None})

    assert answer.json()["error"] == code


def test_a_client_proves_itself_in_the_way_that_it_is_registered_for_only(app):
    with_secret = oauth.register()
    public = oauth.register(token_endpoint_auth_method="none", grant_types=["authorization_code"])

    assert rejected(own_token(KEY.assertion(with_secret.client_id)))
    assert rejected(own_token(KEY.assertion(public.client_id)))
    assert rejected(oauth.post("token", **OWN, client_id=app.client_id))
    assert rejected(oauth.post("token", **OWN, client_id=app.client_id, client_secret="x"))


def test_a_failure_is_in_the_audit_log_with_its_reason(app):
    answer = own_token(OTHER.assertion(app.client_id))

    failure = AuditEvent.objects.get(event="client_authentication")
    assert failure.details["client_id"] == app.client_id
    assert failure.details["reason"] == "No registered key of the client verifies the assertion."
    assert failure.details["reason"] in answer.json()["error_description"]


INPUT = {"name": "Orders", "redirect_uris": [oauth.CALLBACK], "token_endpoint_auth_method": "private_key_jwt"}
PRIVATE = json.loads(jwt.get_algorithm_by_name("ES256").to_jwk(KEY.private))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"jwks": {"keys": [KEY.public]}, "jwks_uri": "https://orders.example.org/jwks"},
        {"jwks": {"keys": [KEY.public]}, "token_endpoint_auth_method": "client_secret_basic"},
        {"jwks": {"keys": []}},
        {"jwks": {"keys": [KEY.public] * 21}},
        {"jwks": {"keys": "x"}},
        {"jwks": {"keys": [PRIVATE]}},
        {"jwks": {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}},
        {"jwks": {"keys": [KEY.public | {"crv": "P-384"}]}},
        {"jwks": {"keys": [KEY.public | {"alg": "HS256"}]}},
        {"jwks": {"keys": [KEY.public | {"use": "enc"}]}},
        {"jwks": {"keys": [KEY.public | {"x": "AA"}]}},
        {"jwks": {"keys": [Key("RS256", bits=1024).public]}},
        {"jwks": []},
        {"jwks_uri": "http://orders.example.org/jwks"},
        {"jwks_uri": "https://127.0.0.1/jwks"},
        {"jwks_uri": "https://[::ffff:10.0.0.1]/jwks"},
        {"jwks_uri": "https://169.254.169.254/latest/meta-data"},
        {"jwks_uri": "https://ada:secret@orders.example.org/jwks"},
        {"jwks_uri": "file:///etc/passwd"},
    ],
)
def test_a_client_is_registered_with_public_keys_of_its_own_in_one_place(admin_client, changes):
    answer = admin_client.post("/auth-ms/clients", **as_json(INPUT | changes))

    assert answer.status_code == 400
    assert {"jwks", "jwks_uri"} & set(answer.json()["errors"])


def test_a_client_moves_from_a_secret_to_a_key_and_its_secret_is_gone(admin_client):
    made = admin_client.post("/auth-ms/clients", **as_json(INPUT | {"token_endpoint_auth_method": "none"})).json()
    app = oauth.register()
    path = f"/auth-ms/clients/{app.client_id}"

    changed = admin_client.put(path, **as_json(INPUT | {"jwks": {"keys": [KEY.public]}}))

    assert changed.json()["jwks"] == {"keys": [KEY.public]}
    assert not ClientSecret.objects.exists()
    assert admin_client.post(f"{path}/secrets", **as_json({})).status_code == 409
    back = admin_client.put(path, **as_json(INPUT | {"token_endpoint_auth_method": "client_secret_basic"}))
    assert "token_endpoint_auth_method" in back.json()["errors"]
    assert made["client_secret"] is None


class KeyServer:
    """The server of a client, with its key set behind TLS."""

    def __init__(self, certificate):
        self.keys, self.status, self.asked = [KEY.public], 200, 0
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                service.asked += 1
                body = json.dumps({"keys": service.keys}).encode()
                self.send_response(service.status)
                self.send_header("Location", "https://localhost/")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.uri = f"https://localhost:{self.server.server_port}/jwks"
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()


@pytest.fixture
def key_server(tmp_path, monkeypatch, settings):
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    monkeypatch.setattr(documents, "REQUEST_SECONDS", 60.0)
    settings.PRIVATE_CLIENT_NETWORKS = ["127.0.0.0/8", "::1/128"]
    key_sets._fetched.cache_clear()
    server = KeyServer(authority.certificate(x509.DNSName("localhost")))
    yield server
    server.server.shutdown()
    server.server.server_close()


def test_keys_are_fetched_once_and_again_for_an_unknown_one(key_server, monkeypatch):
    app = register(jwks=None, jwks_uri=key_server.uri)
    new = Key(kid="two")

    first = [own_token(KEY.assertion(app.client_id)).status_code for _ in range(3)]
    key_server.keys = [new.public]
    too_soon = own_token(new.assertion(app.client_id))
    monkeypatch.setattr(documents, "MINIMUM_INTERVAL_SECONDS", 0)
    rotated = own_token(new.assertion(app.client_id))

    assert first == [200, 200, 200]
    assert rejected(too_soon)
    assert rotated.status_code == 200
    assert key_server.asked == 2
    assert rejected(own_token(KEY.assertion(app.client_id)))  # is not published any more


@pytest.mark.parametrize("status", [302, 404, 500])
def test_keys_are_not_taken_from_an_error_or_a_redirect(key_server, status):
    key_server.status = status
    app = register(jwks=None, jwks_uri=key_server.uri)

    assert rejected(own_token(KEY.assertion(app.client_id)))
    assert key_server.asked == 1


@pytest.mark.parametrize("keys", [["x"], [None], [PRIVATE], [{"kty": "oct", "k": "c2VjcmV0"}], "x"])
def test_a_set_without_a_public_key_proves_nothing(key_server, keys):
    key_server.keys = keys
    app = register(jwks=None, jwks_uri=key_server.uri)

    assert rejected(own_token(KEY.assertion(app.client_id)))


def test_known_keys_stay_in_use_while_the_client_does_not_answer(key_server, monkeypatch):
    app = register(jwks=None, jwks_uri=key_server.uri)
    own_token(KEY.assertion(app.client_id))
    key_server.status = 500
    monkeypatch.setattr(documents, "MAXIMUM_AGE_SECONDS", -1)
    monkeypatch.setattr(documents, "MINIMUM_INTERVAL_SECONDS", -1)

    assert own_token(KEY.assertion(app.client_id)).status_code == 200
    assert key_server.asked == 2


def test_a_key_set_inside_the_network_is_not_requested(key_server, settings):
    app = register(jwks=None, jwks_uri=key_server.uri)
    settings.PRIVATE_CLIENT_NETWORKS = []

    assert rejected(own_token(KEY.assertion(app.client_id)))
    assert key_server.asked == 0
