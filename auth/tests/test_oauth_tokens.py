"""The endpoints that clients call with their own credentials."""

import base64
from dataclasses import replace
from urllib.parse import quote_plus

import jwt
import pytest
from django.conf import settings
from django.test import Client

from auth.tests import oauth
from auth.tests.builders import as_json, bearer
from auth_ms import metrics
from auth_ms.keys.services import issuing
from auth_ms.models import AuditEvent, ClientSecret, SigningKey
from auth_ms.provider.services import authentication

pytestmark = pytest.mark.django_db
WELL_KNOWN = "/auth-ms/.well-known"


def own_token(app, **form):
    return app.post("token", grant_type="client_credentials", **form)


def verified(token, *, audience):
    """The claims, verified as a resource server would: with the published keys alone."""
    keys = jwt.PyJWKSet.from_dict(Client().get(f"{WELL_KNOWN}/jwks.json").json())
    header = jwt.get_unverified_header(token)
    algorithms = ["ES256", "RS256"]
    issuer = settings.PUBLIC_URL
    return header, jwt.decode(token, keys[header["kid"]], algorithms=algorithms, audience=audience, issuer=issuer)


def test_a_client_calls_as_itself_with_a_token_for_one_resource(app):
    answer = own_token(app)

    header, claims = verified(answer.json()["access_token"], audience=oauth.API)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert answer.json() | {"access_token": ""} == {
        "access_token": "",
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "orders:read",
    }
    assert (header["typ"], header["alg"]) == ("at+jwt", "ES256")
    assert (claims["sub"], claims["client_id"], claims["aud"]) == (app.client_id, app.client_id, oauth.API)


def test_a_client_is_registered_for_rs256():
    spring = oauth.register(signing_algorithm="RS256")

    header, _ = verified(own_token(spring).json()["access_token"], audience=oauth.API)

    assert header["alg"] == "RS256"
    assert SigningKey.objects.filter(algorithm="RS256").count() == 1


def test_the_keys_of_both_algorithms_are_published_without_private_members(client, ada, sign_in):
    sign_in()
    oauth.register(signing_algorithm="RS256")

    keys = {key["alg"]: set(key) for key in client.get(f"{WELL_KNOWN}/jwks.json").json()["keys"]}

    assert keys["ES256"] == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert keys["RS256"] == {"kty", "n", "e", "kid", "use", "alg"}


def test_the_token_of_a_client_opens_nothing_of_tessera(app, ada):
    for algorithm in ("ES256", "RS256"):
        token = own_token(oauth.register(signing_algorithm=algorithm)).json()

        assert Client(headers=bearer(token)).get("/auth-ms/auth/sessions").status_code == 401
        assert Client(headers=bearer(token)).get("/auth-ms/internal/principal").status_code == 401
        assert Client(headers=bearer(token)).get("/auth-ms/clients").status_code == 401


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ({"grant_type": None}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "implicit"}, 400, "unsupported_grant_type"),
        ({"scope": "admin"}, 400, "invalid_scope"),
        ({"scope": "openid"}, 400, "invalid_scope"),  # there is no user
        ({"scope": 'orders:read "'}, 400, "invalid_scope"),
        ({"resource": "https://other.example"}, 400, "invalid_target"),
        ({"resource": "tessera"}, 400, "invalid_target"),
        ({"grant_type": ["client_credentials", "client_credentials"]}, 400, "invalid_request"),
        ({"scope": "a\0b"}, 400, "invalid_request"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_secret": None}, 401, "invalid_client"),
        ({"client_id": "unknown"}, 401, "invalid_client"),
        ({"client_id": None}, 401, "invalid_client"),
        ({"grant_type": "authorization_code"}, 400, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "x"}, 400, "invalid_grant"),
        ({"grant_type": "refresh_token"}, 400, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, 400, "invalid_grant"),
    ],
)
def test_each_error_has_the_code_of_the_specification(app, form, status, code):
    whole = app.credentials | {"grant_type": "client_credentials"} | form

    answer = oauth.post("token", **{name: value for name, value in whole.items() if value is not None})

    assert (answer.status_code, answer.json()["error"]) == (status, code)
    assert answer["Cache-Control"] == "no-store"


def test_answers_are_counted_by_grant_type_and_outcome_with_few_labels(app):
    def counted(kind, outcome):
        return metrics.oauth_token_requests.labels(kind, outcome)._value.get()

    expected = [
        ("client_credentials", "success"),
        ("client_credentials", "invalid_client"),
        ("other", "invalid_request"),
    ]
    expected += [("other", "unsupported_grant_type"), ("device_code", "unauthorized_client")]
    before = [counted(*each) for each in expected]

    own_token(app)
    own_token(app, client_secret="wrong")
    app.post("token")
    app.post("token", grant_type="an invented one")
    app.post("token", grant_type="urn:ietf:params:oauth:grant-type:device_code")

    assert [counted(*each) for each in expected] == [value + 1 for value in before]


def test_a_client_gets_only_the_grants_that_it_is_registered_for():
    answer = own_token(oauth.register(grant_types=["authorization_code"]))

    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")


def test_a_body_that_is_no_form_is_an_invalid_request(app):
    answer = Client().post("/auth-ms/oauth/token", **as_json({"grant_type": "client_credentials"}))

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_a_client_may_authenticate_in_the_header(app):
    answer = oauth.post("token", headers=app.basic, grant_type="client_credentials")

    assert answer.status_code == 200


def test_id_and_secret_are_form_encoded_within_the_header(app):
    odd = "100% a+b"
    ClientSecret.objects.create(client=app.stored, secret_hash=issuing.digest_of(odd))
    pair = base64.b64encode(f"{app.client_id}:{quote_plus(odd)}".encode()).decode()

    answer = oauth.post("token", headers={"Authorization": f"Basic {pair}"}, grant_type="client_credentials")

    assert answer.status_code == 200


MALFORMED_PAIRS = [b"no colon", b"%00:secret", b"id:%00", b"\xff:secret"]


@pytest.mark.parametrize(
    "header",
    ["Basic", "Basic !", "Bearer x", *(f"Basic {base64.b64encode(pair).decode()}" for pair in MALFORMED_PAIRS)],
)
def test_a_malformed_header_is_an_invalid_client_with_a_challenge(app, header):
    answer = oauth.post("token", headers={"Authorization": header}, grant_type="client_credentials")

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer["WWW-Authenticate"].startswith("Basic ")


def test_two_ways_of_authentication_at_once_are_an_invalid_request(app):
    answer = oauth.post("token", headers=app.basic, grant_type="client_credentials", client_secret=app.secret)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_a_failed_authentication_is_in_the_audit_log_and_limited(app, monkeypatch):
    limit = replace(authentication.FAILURES, times=3, seconds=86400)
    monkeypatch.setattr(authentication, "FAILURES", limit)
    wrong = {"client_id": app.client_id, "client_secret": "wrong", "grant_type": "client_credentials"}

    statuses = [oauth.post("token", **wrong).status_code for _ in range(4)]

    failure = AuditEvent.objects.filter(event="client_authentication").first()
    assert (failure.outcome, failure.details["client_id"]) == ("failure", app.client_id)
    assert statuses == [401, 401, 401, 429]
    limited = oauth.post("token", **wrong)
    assert int(limited["Retry-After"]) >= 1
    assert own_token(app).status_code == 200  # who knows the secret is not kept out


def test_a_resource_server_introspects_a_token_that_was_issued_for_it(app):
    api = oauth.register(grant_types=["client_credentials"])
    token = own_token(app).json()["access_token"]

    told = api.post("introspect", token=token).json()

    assert told["active"] is True
    assert (told["client_id"], told["scope"], told["aud"]) == (app.client_id, "orders:read", oauth.API)
    assert "grant_id" not in told


def test_a_client_learns_nothing_of_a_token_for_another_resource(app):
    stranger = oauth.register(resources=["https://other.example"])

    assert stranger.post("introspect", token=own_token(app).json()["access_token"]).json() == {"active": False}


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "e30.e30.e30", "x" * 9000])
def test_what_is_no_token_is_inactive_or_an_invalid_request(app, token):
    answer = app.post("introspect", token=token)

    assert answer.json().get("error") == "invalid_request" if answer.status_code == 400 else not answer.json()["active"]


def test_a_token_of_the_account_api_is_inactive_to_clients(app, sign_in):
    pair = sign_in()

    assert app.post("introspect", token=pair["access_token"]).json() == {"active": False}
    assert app.post("introspect", token=pair["refresh_token"]).json() == {"active": False}


def test_introspection_needs_a_client_with_a_secret(app):
    public = oauth.register(token_endpoint_auth_method="none", grant_types=["authorization_code"])

    assert oauth.post("introspect", token="x").json()["error"] == "invalid_client"
    assert public.post("introspect", token="x").json()["error"] == "unauthorized_client"


def test_a_revoked_token_is_inactive(app):
    token = own_token(app).json()["access_token"]

    answer = app.post("revoke", token=token)

    assert answer.status_code == 200
    assert app.post("introspect", token=token).json() == {"active": False}


def test_a_client_cannot_revoke_the_token_of_another_one(app):
    token = own_token(app).json()["access_token"]

    assert oauth.register().post("revoke", token=token).status_code == 200
    assert app.post("introspect", token=token).json()["active"] is True


@pytest.mark.parametrize("name", ["openid-configuration", "oauth-authorization-server"])
def test_the_discovery_document_names_the_public_address(client, settings, name):
    settings.PUBLIC_URL = "https://accounts.example.org"

    document = client.get(f"{WELL_KNOWN}/{name}").json()

    assert document["issuer"] == "https://accounts.example.org"
    assert document["token_endpoint"] == "https://accounts.example.org/auth-ms/oauth/token"
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert {"ES256", "RS256"} == set(document["id_token_signing_alg_values_supported"])


@pytest.mark.parametrize("name", ["openid-configuration", "oauth-authorization-server", "jwks.json"])
def test_any_page_may_read_what_is_public_but_without_credentials(client, name):
    answer = client.get(f"{WELL_KNOWN}/{name}", headers={"Origin": "https://anything.example"})

    assert answer["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer


@pytest.mark.parametrize("endpoint", ["token", "par", "revoke", "userinfo"])
def test_the_answer_to_a_page_of_a_registered_origin_is_readable_also_when_it_is_an_error(app, endpoint):
    app.change(web_origins=["https://app.example.org"])

    answer = oauth.post(endpoint, headers={"Origin": "https://app.example.org"})

    assert answer.status_code in (400, 401)
    assert answer["Access-Control-Allow-Origin"] == "https://app.example.org"
    assert answer["Vary"] == "Origin"
    assert {"RateLimit", "RateLimit-Policy"} <= set(answer["Access-Control-Expose-Headers"].split(", "))
    assert "Access-Control-Allow-Credentials" not in answer
    assert "Access-Control-Allow-Origin" not in oauth.post(endpoint, headers={"Origin": "https://evil.example"})


def test_only_pages_of_registered_origins_may_call_from_a_script(app):
    app.change(web_origins=["https://app.example.org"])

    def allowed(origin):
        answer = Client().options("/auth-ms/oauth/token", headers={"Origin": origin})
        return answer.headers.get("Access-Control-Allow-Origin")

    assert allowed("https://app.example.org") == "https://app.example.org"
    assert allowed("https://evil.example") is None
    assert allowed("null") is None
    introspection = Client().options("/auth-ms/oauth/introspect", headers={"Origin": "https://app.example.org"})
    assert "Access-Control-Allow-Origin" not in introspection
