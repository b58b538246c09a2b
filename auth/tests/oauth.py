"""Clients of the provider, and the requests that several test modules send."""

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from django.test import Client
from django.utils import timezone

from auth.tests.builders import PASSWORD
from auth_ms.models import OAuthClient
from auth_ms.provider.services import clients

CALLBACK = "https://orders.example.org/callback"
API = "https://api.orders.example.org"
VERIFIER = "a-verifier-that-is-at-least-43-characters-long-0"
ALL_GRANTS = ["authorization_code", "refresh_token", "client_credentials"]
FORM = "application/x-www-form-urlencoded"


def challenge_of(verifier: str) -> str:
    """The S256 challenge (RFC 7636, §4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


@dataclass
class Application:
    """A registered client with its secret, and a browser or back end that uses it."""

    client_id: str
    secret: str | None

    @property
    def stored(self) -> OAuthClient:
        return OAuthClient.objects.get(client_id=self.client_id)

    def change(self, **values: Any) -> None:
        OAuthClient.objects.filter(client_id=self.client_id).update(**values)

    @property
    def credentials(self) -> dict[str, str]:
        return {"client_id": self.client_id} | ({"client_secret": self.secret} if self.secret else {})

    @property
    def basic(self) -> dict[str, str]:
        pair = f"{self.client_id}:{self.secret}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}

    def post(self, endpoint: str, headers: dict[str, str] | None = None, **form: Any) -> Any:
        """A request of the client's back end, authenticated in the body."""
        return post(endpoint, headers, **self.credentials | form)

    def query(self, **changes: Any) -> dict[str, Any]:
        """The parameters of a valid authorization request; None removes one."""
        parameters = {
            "client_id": self.client_id,
            "response_type": "code",
            "redirect_uri": CALLBACK,
            "scope": "openid email",
            "state": "a-state",
            "nonce": "a-nonce",
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in (parameters | changes).items() if value is not None}

    def authorize(self, browser: Client, **changes: Any) -> Any:
        return browser.get("/auth-ms/oauth/authorize", self.query(**changes))

    def code(self, browser: Client, **changes: Any) -> str:
        """The code for a signed-in browser."""
        return members_of(self.authorize(browser, **changes))["code"]

    def redeem(self, code: str, headers: dict[str, str] | None = None, **changes: Any) -> Any:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
        } | changes
        return self.post("token", headers, **{name: value for name, value in form.items() if value is not None})


def register(**changes: Any) -> Application:
    """A first-party client that may do everything, unless changed."""
    values = {
        "name": "Orders",
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ALL_GRANTS,
        "redirect_uris": [CALLBACK],
        "post_logout_redirect_uris": ["https://orders.example.org/"],
        "scopes": ["openid", "profile", "email", "phone", "roles", "offline_access", "orders:read"],
        "resources": [API],
        "first_party": True,
    } | changes
    made = clients.register(values=values, actor_id=1, client=None, at=timezone.now())
    return Application(made.client.client_id, made.secret)


def post(endpoint: str, headers: dict[str, str] | None = None, **form: Any) -> Any:
    """A form to an endpoint, as application/x-www-form-urlencoded."""
    return Client().post(f"/auth-ms/oauth/{endpoint}", urlencode(form, doseq=True), content_type=FORM, headers=headers)


def fields_of(page: Any) -> dict[str, str]:
    """The hidden fields of the form on a page."""
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.content.decode()))


def submit(browser: Client, page: Any, **fields: Any) -> Any:
    """Send the form on a page."""
    return browser.post("/auth-ms/oauth/interaction", fields_of(page) | fields)


def sign_in(browser: Client, page: Any, **changes: Any) -> Any:
    return submit(browser, page, **{"username": "ada@example.org", "password": PASSWORD} | changes)


def signed_in_browser(app: Application) -> Client:
    """Ada's browser, which has signed in for `app`."""
    browser = Client()
    sign_in(browser, app.authorize(browser))
    return browser


def members_of(answer: Any) -> dict[str, str]:
    """The parameters that a redirect brings to the client."""
    assert answer.status_code == 303, answer.content
    return {name: values[0] for name, values in parse_qs(urlsplit(answer["Location"]).query).items()}
