"""Sign-in with Apple and GitHub, against servers that behave as their documentation says."""

import json
import time
from urllib.parse import urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.conf import settings
from django.test import Client

from auth.tests import oauth
from auth.tests.builders import as_json
from auth.tests.external_provider import CLIENT_ID, FakeProvider, linked, press, query_of, says
from auth_ms.external.services.flows import flow_of
from auth_ms.keys.services import vault
from auth_ms.models import AuditEvent, ExternalIdentity, ExternalProvider, ExternalSignIn, Session

pytestmark = pytest.mark.django_db
PATH = "/auth-ms/external-providers"


@pytest.fixture
def browser(ada):
    """A browser that has never been here."""
    return Client()


def pem_of(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


KEY = ec.generate_private_key(ec.SECP256R1())
PRIVATE_KEY = pem_of(KEY)


class FakeApple(FakeProvider):
    """appleid.apple.com: discovery, a signed client secret in the form of a token request, no userinfo."""

    def __init__(self):
        super().__init__()
        self.secrets = []
        self.metadata = {
            "userinfo_endpoint": None,
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "authorization_response_iss_parameter_supported": None,
        }
        self.person = {"sub": "000792.d710.0638", "email": "x1@privaterelay.appleid.com", "email_verified": "true"}

    def is_authenticated(self, request, form):
        claims = jwt.decode(
            form["client_secret"], KEY.public_key(), ["ES256"], audience=self.issuer, issuer="TEAM123456"
        )
        self.secrets.append((jwt.get_unverified_header(form["client_secret"]), claims))
        return form["client_id"] == claims["sub"] == CLIENT_ID and "Authorization" not in request.headers


class FakeGitHub(FakeProvider):
    """GitHub Enterprise Server. Unlike OpenID providers it answers errors of the token endpoint with status 200."""

    def __init__(self):
        super().__init__()
        self.user = {"id": 583231, "login": "octocat", "name": "Mona Lisa Octocat", "email": None}
        self.addresses = [
            {"email": "old@example.org", "primary": False, "verified": True, "visibility": None},
            {"email": "mona@example.org", "primary": True, "verified": True, "visibility": "private"},
        ]

    @property
    def _routes(self):
        return {
            "/login/oauth/access_token": self._access_token,
            "/api/v3/user": lambda request, _: self._api(request, self.user),
            "/api/v3/user/emails": lambda request, _: self._api(request, self.addresses),
        }

    def _access_token(self, request, form):
        if request.headers.get("Accept") != "application/json":
            return 400, "a form, which nobody here reads"
        status, answer = self._token(request, form)
        return (200, {"error": "bad_verification_code"}) if status != 200 else (200, answer | {"id_token": None})

    def _api(self, request, value):
        if not request.headers.get("User-Agent"):
            return 403, {"message": "Request forbidden by administrative rules."}
        return (200, value) if request.headers.get("Authorization") == "Bearer at" else (401, {})


@pytest.fixture
def apple(reachable):
    server = FakeApple()
    yield server
    server.close()


@pytest.fixture
def github(reachable):
    server = FakeGitHub()
    yield server
    server.close()


def register_apple(apple, **changes):
    facts = {"kind": "apple", "slug": "apple", "client_secret": PRIVATE_KEY, "team_id": "TEAM123456"}
    return apple.register(**facts | {"key_id": "KEY1234567", "scopes": []} | changes)


def register_github(github, **changes):
    return github.register(**{"kind": "github", "slug": "github", "scopes": []} | changes)


def go(app, browser, slug, **asked):
    return press(browser, app.authorize(browser, **asked), slug)["Location"]


def post_back(browser, apple, url, **members):
    """As a browser does: a form of another site comes without Lax cookies, that of the page here with them."""
    form = {"code": apple.code_for(url), "state": query_of(url)["state"]} | members
    path = "/auth-ms/oauth/external/apple/callback"
    page = Client().post(path, form)
    assert page.status_code == 200 and not page.cookies
    return browser.post(path, oauth.fields_of(page) | ({"user": form["user"]} if "user" in form else {}))


# Apple


def test_apple_is_asked_for_a_form(app, browser, apple):
    register_apple(apple)

    url = go(app, browser, "apple")

    query = query_of(url)
    assert (query["response_mode"], query["response_type"], query["scope"]) == ("form_post", "code", "name email")
    assert query["redirect_uri"] == f"{settings.PUBLIC_URL}/auth-ms/oauth/external/apple/callback"
    assert {"state", "nonce", "code_challenge"} <= set(query)


def test_an_account_gets_the_name_that_apple_sends_once(app, browser, apple, users_service):
    register_apple(apple, trusts_email=True)
    user = json.dumps({"name": {"firstName": "Tim", "lastName": "Appleseed"}, "email": "evil@example.org"})

    answer = post_back(browser, apple, go(app, browser, "apple"), user=user)

    assert "code" in oauth.members_of(answer)
    made = users_service.created[0]
    assert (made["name"], made["surname"]) == ("Tim", "Appleseed")
    assert (made["email"], made["email_verified"]) == ("x1@privaterelay.appleid.com", True)  # of the ID token
    assert ExternalIdentity.objects.get().subject == "000792.d710.0638"


@pytest.mark.parametrize("user", ["", "x", "[]", "{}", '{"name": null}', '{"name": {"firstName": 7}}', '{"name": []}'])
def test_an_account_without_a_name_of_apple_has_one_of_its_address(app, browser, apple, users_service, user):
    register_apple(apple)

    answer = post_back(browser, apple, go(app, browser, "apple"), **({"user": user} if user else {}))

    assert "code" in oauth.members_of(answer)
    assert (users_service.created[0]["name"], users_service.created[0]["surname"]) == ("x1", "")


def test_the_client_secret_is_signed_for_each_request_and_lives_for_minutes(app, apple, ada):
    provider = register_apple(apple)
    linked(provider, subject="000792.d710.0638")

    for browser in (Client(), Client()):
        assert post_back(browser, apple, go(app, browser, "apple")).status_code == 303

    header, claims = apple.secrets[0]
    assert len(apple.secrets) == 2
    assert (header["alg"], header["kid"]) == ("ES256", "KEY1234567")
    assert (claims["iss"], claims["aud"], claims["sub"]) == ("TEAM123456", apple.issuer, CLIENT_ID)
    assert claims["exp"] - claims["iat"] == 300 and abs(claims["iat"] - time.time()) < 60
    stored = bytes(provider.client_secret_encrypted)
    assert PRIVATE_KEY.encode() not in stored and vault.decrypt(stored).decode() == PRIVATE_KEY


def test_a_form_of_another_browser_signs_nobody_in(app, browser, apple):
    linked(register_apple(apple), subject="000792.d710.0638")
    url = go(app, browser, "apple")

    for stranger in (Client(), oauth.signed_in_browser(app)):
        Session.objects.all().delete()
        page = post_back(stranger, apple, url)
        assert says(page, "expired") and page.status_code == 400
    assert not Session.objects.exists() and ExternalSignIn.objects.count() == 1
    assert "code" in oauth.members_of(post_back(browser, apple, url))  # it is still that of its browser


def test_the_page_repeats_the_response_and_nothing_else(app, browser, apple):
    register_apple(apple)
    form = {"code": '"><script>', "state": "x", "user": "{}", "request": "x", "step": "consent"}

    page = Client().post("/auth-ms/oauth/external/apple/callback", form)

    assert set(oauth.fields_of(page)) == {"code", "state", "user", "again"}
    assert '"><script>' not in page.content.decode()
    assert 'action="/auth-ms/oauth/external/apple/callback"' in page.content.decode()


def test_a_cancelled_sign_in_with_apple_shows_the_page_again(app, browser, apple):
    register_apple(apple)
    url = go(app, browser, "apple")
    form = {"error": "user_cancelled_authorize", "state": query_of(url)["state"], "again": "1"}

    page = browser.post("/auth-ms/oauth/external/apple/callback", form)

    assert page.status_code == 403 and says(page, "external_cancelled")


def test_apple_proves_a_recent_sign_in_by_auth_time_only(app, browser, apple):
    linked(register_apple(apple), subject="000792.d710.0638")

    silent = post_back(browser, apple, go(app, browser, "apple", prompt="login"))
    apple.signed_in_seconds_ago = 5
    proven = post_back(browser, apple, go(app, browser, "apple", prompt="login"))

    assert says(silent, "external_not_recent") and "code" in oauth.members_of(proven)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("team_id", ""),
        ("key_id", ""),
        ("client_secret", "no key"),
        ("client_secret", pem_of(rsa.generate_private_key(public_exponent=65537, key_size=2048))),
        ("client_secret", pem_of(ec.generate_private_key(ec.SECP384R1()))),
    ],
    ids=["team", "key", "no key", "RSA", "P-384"],
)
def test_settings_with_which_apple_cannot_work_are_refused(apple, admin_client, member, value):
    known = {"kind": "apple", "slug": "apple", "name": "Apple", "issuer": apple.issuer, "client_id": CLIENT_ID}
    values = known | {"client_secret": PRIVATE_KEY, "team_id": "TEAM123456", "key_id": "KEY1234567"}

    refused = admin_client.post(PATH, **as_json(values | {member: value}))
    made = admin_client.post(PATH, **as_json(values))
    change = {name: values[name] for name in ("name", "client_id", "team_id", "key_id")}
    changed = admin_client.put(f"{PATH}/apple", **as_json(change | {member: value}))

    assert refused.status_code == changed.status_code == 400
    assert set(refused.json()["errors"]) == set(changed.json()["errors"]) == {member}
    assert made.status_code == 201 and "PRIVATE KEY" not in made.content.decode()
    assert (made.json()["kind"], made.json()["scopes"]) == ("apple", ["name", "email"])


# GitHub


def test_a_user_of_github_gets_an_account_and_has_it_next_time(app, browser, github, users_service):
    register_github(github, trusts_email=True)
    url = go(app, browser, "github")

    first = come_back(browser, github, url)
    github.user |= {"login": "renamed", "name": None}
    second = come_back(other := Client(), github, go(app, other, "github"))

    assert urlsplit(url).path == "/login/oauth/authorize"
    assert query_of(url)["scope"] == "user:email" and query_of(url)["code_challenge_method"] == "S256"
    assert "code" in oauth.members_of(first) and "code" in oauth.members_of(second)
    (made,) = users_service.created
    assert (made["name"], made["email"], made["email_verified"]) == ("Mona Lisa Octocat", "mona@example.org", True)
    assert ExternalIdentity.objects.get().subject == "583231"


def come_back(browser, github, url, **changes):
    response = github.response_to(url, iss=None, **changes)
    return browser.get("/auth-ms/oauth/external/github/callback", response)


@pytest.mark.parametrize(
    "change", [{"primary": False}, {"verified": False}, {"email": "x"}, {"verified": "yes"}], ids=str
)
def test_only_the_primary_verified_address_counts(app, browser, github, users_service, change):
    register_github(github)
    github.addresses[1] |= change

    page = come_back(browser, github, go(app, browser, "github"))

    assert says(page, "external_sign_in_first") and not users_service.created


@pytest.mark.parametrize("user", [{}, {"id": "583231"}, {"id": True}, {"id": 1.5}, [], None], ids=str)
def test_a_user_without_a_numeric_id_is_refused(app, browser, github, user):
    register_github(github)
    github.user = user

    page = come_back(browser, github, go(app, browser, "github"))

    assert says(page, "external_failed") and not ExternalIdentity.objects.exists()


def test_a_code_that_github_refuses_signs_nobody_in(app, browser, github):
    linked(register_github(github), subject="583231")

    page = come_back(browser, github, go(app, browser, "github"), code="another")

    assert says(page, "external_failed") and not Session.objects.exists()
    reasons = AuditEvent.objects.filter(event="login", outcome="failure").values_list("details__reason", flat=True)
    assert list(reasons) == ["GitHub refuses the code or the secret"]


def test_a_verifier_of_another_sign_in_redeems_nothing(app, browser, github):
    """PKCE: the code of one sign-in with the state of another."""
    linked(register_github(github), subject="583231")
    first, second = go(app, browser, "github"), go(app, browser, "github")

    page = come_back(browser, github, first, code=github.code_for(second))

    assert says(page, "external_failed") and not Session.objects.exists()


@pytest.mark.parametrize("asked", [{"prompt": "login"}, {"max_age": "600"}], ids=str)
def test_github_proves_no_recent_sign_in(app, browser, github, asked):
    linked(register_github(github), subject="583231")
    page = press(browser, app.authorize(browser, **asked), "github")

    assert page.status_code == 403 and says(page, "external_not_recent")
    assert github.asked == []


def test_the_interface_of_github_com_is_at_another_host():
    def api_of(issuer, monkeypatch):
        asked = []
        monkeypatch.setattr("auth_ms.external.services.discovery.request_json", lambda _, url, **__: asked.append(url))
        flow_of(ExternalProvider(kind="github", issuer=issuer))._get("/user", {})
        return asked

    with pytest.MonkeyPatch.context() as patch:
        assert api_of("https://github.com", patch) == ["https://api.github.com/user"]
        assert api_of("https://git.example.org/", patch) == ["https://git.example.org/api/v3/user"]


def test_github_needs_no_discovery_document(github, admin_client):
    values = {"kind": "github", "slug": "github", "name": "GitHub", "issuer": github.issuer, "client_id": CLIENT_ID}

    made = admin_client.post(PATH, **as_json(values | {"client_secret": "what GitHub shows"}))
    unknown = admin_client.post(PATH, **as_json(values | {"kind": "gitea", "client_secret": "x"}))

    assert made.status_code == 201 and made.json()["scopes"] == ["user:email"] and github.asked == []
    assert unknown.status_code == 400 and set(unknown.json()["errors"]) == {"kind"}
