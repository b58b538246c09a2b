"""A small OpenID provider over real HTTP, which a test makes lie, and the way of a browser through it."""

import base64
import contextlib
import hashlib
import json
import threading
import time
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from django.test import Client
from django.utils import timezone

from auth.tests.signing import Key
from auth_ms.external.services import discovery, providers
from auth_ms.keys.services import key_sets
from auth_ms.models import ExternalIdentity, ExternalProvider
from auth_ms.provider import texts
from chassis.http import client_address

SECRET = "what the provider shows"
CLIENT_ID = "tessera"
SUBJECT = "248289761001"


class FakeProvider:
    """An honest provider of one person, until a test changes one of its members."""

    def __init__(self) -> None:
        self.metadata: dict[str, Any] = {}  # replace members of the discovery document; None removes one
        self.signed_in_seconds_ago: int | None = (
            None  # and it says so; None: it ignores `max_age`, and does not say when
        )
        self.claims: dict[str, Any] = {}  # replace those of the ID token; None removes one
        self.header: dict[str, Any] = {}
        self.person: dict[str, Any] = {
            "sub": SUBJECT,
            "email": "grace@example.org",
            "email_verified": True,
            "given_name": "Grace",
            "family_name": "Hopper",
        }
        self.userinfo: dict[str, Any] | None = None
        self.keys = [Key("RS256", kid="one")]  # the first signs
        self.sign: Callable[[dict[str, Any], dict[str, Any]], str] | None = None
        self.overrides: dict[str, tuple[int, dict[str, str], bytes]] = {}  # path to status, headers and body
        self.delay_seconds: dict[str, float] = {}
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake._answer(self)

            do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def register(self, **changes: Any) -> ExternalProvider:
        """Tessera's row about it, as an admin makes it."""
        values = {
            "slug": "fake",
            "name": "Fake",
            "issuer": self.issuer,
            "client_id": CLIENT_ID,
            "client_secret": SECRET,
            "scopes": ["openid", "email", "profile"],
        } | changes
        admin = client_address.Client(address="127.0.0.1", user_agent="")
        return providers.create(values=values, actor_id=1, client=admin, at=timezone.now())

    def code_for(self, url: str) -> str:
        """A code for the request in `url`, as after a sign-in of the person there."""
        code = uuid.uuid4().hex
        self._codes[code] = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        return code

    def response_to(self, url: str, **changes: Any) -> dict[str, str]:
        """The parameters with which the browser comes back; None removes one."""
        members = {"code": self.code_for(url), "state": query_of(url)["state"], "iss": self.issuer} | changes
        return {name: value for name, value in members.items() if value is not None}

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        path = urlsplit(request.path).path
        self.asked.append(path)
        time.sleep(self.delay_seconds.get(path, 0))
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        if path in self.overrides:
            status, headers, content = self.overrides[path]
        else:
            status, value = self._routes[path](request, {k: v[0] for k, v in parse_qs(body.decode()).items()})
            headers, content = {"Content-Type": "application/json"}, json.dumps(value).encode()
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        with contextlib.suppress(OSError):  # the other side has left
            request.wfile.write(content)

    @property
    def _routes(self) -> dict[str, Callable[[Any, dict[str, str]], tuple[int, Any]]]:
        return {
            "/.well-known/openid-configuration": lambda *_: (200, self.document),
            "/jwks": lambda *_: (200, {"keys": [key.public for key in self.keys]}),
            "/token": self._token,
            "/userinfo": self._userinfo,
        }

    @property
    def document(self) -> dict[str, Any]:
        known = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "authorization_response_iss_parameter_supported": True,
        }
        return {name: value for name, value in (known | self.metadata).items() if value is not None}

    def _token(self, request: Any, form: dict[str, str]) -> tuple[int, Any]:
        """RFC 6749, §4.1.3, with PKCE; the client authenticates in the header."""
        if not self.is_authenticated(request, form):
            return 401, {"error": "invalid_client"}
        asked = self._codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if not asked or asked["code_challenge"] != challenge or asked["redirect_uri"] != form["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "at", "token_type": "Bearer", "id_token": self._id_token(asked.get("nonce"))}

    def is_authenticated(self, request: Any, form: dict[str, str]) -> bool:
        pair = base64.b64decode(request.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        given = [unquote(each) for each in pair.split(":")]
        return [CLIENT_ID, SECRET] in (given, [form.get("client_id"), form.get("client_secret")])

    def _id_token(self, nonce: str | None) -> str:
        now = int(time.time())
        standard = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": nonce}
        if self.signed_in_seconds_ago is not None:
            standard["auth_time"] = now - self.signed_in_seconds_ago
        claims = {name: value for name, value in (standard | self.person | self.claims).items() if value is not None}
        return self.sign(claims, self.header) if self.sign else self.keys[0].sign(claims, **self.header)

    def _userinfo(self, request: Any, _: dict[str, str]) -> tuple[int, Any]:
        return (200, self.userinfo) if request.headers.get("Authorization") == "Bearer at" else (401, {})


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def press(browser: Client, page: Any, slug: str = "fake") -> Any:
    """The button of a provider on a sign-in page; the browser is then sent to the provider."""
    fields = {"request": _token_on(page)}
    return browser.post(f"/auth-ms/oauth/external/{slug}", fields)


def _token_on(page: Any) -> str:
    return str(page.content.decode().partition('name="request" value="')[2].partition('"')[0])


def from_console(browser: Client, **query: str) -> Any:
    """The button on the console's sign-in page."""
    return browser.get("/auth-ms/oauth/external/fake", query, headers={"Sec-Fetch-Site": "same-origin"})


def come_back(browser: Client, response: dict[str, str], slug: str = "fake") -> Any:
    """The provider sends the browser back."""
    return browser.get(f"/auth-ms/oauth/external/{slug}/callback", response)


def sign_in(app: Any, browser: Client, fake: FakeProvider, **changes: Any) -> Any:
    """The whole way, from the application to the answer of the callback."""
    url = press(browser, app.authorize(browser, **changes))["Location"]
    return come_back(browser, fake.response_to(url))


def linked(provider: ExternalProvider, user_id: int = 7, subject: str = SUBJECT) -> ExternalIdentity:
    """An identity of Ada."""
    facts = {"provider": provider, "subject": subject, "user_id": user_id}
    return ExternalIdentity.objects.create(**facts, linked_at=timezone.now(), email="grace@example.org")


def says(page: Any, text: str) -> bool:
    """True when a page shows the text with this key."""
    return texts.TEXTS["en"][text] in page.content.decode()


def forget_everything() -> None:
    """As a process that has just started."""
    discovery._remembered.cache_clear()
    discovery._breaker.cache_clear()
    key_sets._fetched.cache_clear()
