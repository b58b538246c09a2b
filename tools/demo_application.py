"""A small application with Authlib, for `make demo-oidc`: it signs users in, calls an API, and learns of logouts.

It stands for a product's own code, so it imports nothing of Tessera. Everything is in one process: the application, and
at /api the API that verifies access tokens. From the environment: ISSUER, CLIENT_ID, CLIENT_SECRET, API and PORT.
"""

import json
import os
import secrets
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

ISSUER, CLIENT_ID, SECRET, API = (os.environ[name] for name in ("ISSUER", "CLIENT_ID", "CLIENT_SECRET", "API"))
PORT = int(os.environ["PORT"])
ADDRESS = f"http://127.0.0.1:{PORT}"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
COOKIE = "orders_session"
provider = requests.get(f"{ISSUER}/.well-known/openid-configuration", timeout=10).json()
visitors: dict[str, dict[str, Any]] = {}  # by the secret in the cookie; a product keeps this in its database


def claims_of(token: str, *, typ: str, audience: str) -> dict[str, Any]:
    """The claims of a token of the provider, of this type and for this audience. Raises JoseError and ValueError."""
    keys = KeySet.import_key_set(requests.get(provider["jwks_uri"], timeout=10).json())
    decoded = jwt.decode(token, keys, algorithms=["ES256"])
    if decoded.header.get("typ", "").lower() != typ.lower():
        raise ValueError(f"typ is not {typ}")
    required: Any = {"exp": {"essential": True}, "iss": {"essential": True, "value": ISSUER}}
    jwt.JWTClaimsRegistry(**required, aud={"essential": True, "value": audience}).validate(decoded.claims)
    return dict(decoded.claims)


def oauth_session(visitor: dict[str, Any]) -> OAuth2Session:
    """Authlib's client with the tokens of a visitor."""
    scope = "openid email orders:read"
    options = {"scope": scope, "redirect_uri": f"{ADDRESS}/callback", "code_challenge_method": "S256"}
    return OAuth2Session(CLIENT_ID, SECRET, token=visitor.get("tokens"), **options)


class Application(BaseHTTPRequestHandler):
    """The application's pages, its back channel, and the API."""

    def do_GET(self) -> None:
        """Shows a page."""
        pages = {
            "/": self.index,
            "/login": self.login,
            "/callback": self.callback,
            "/orders": self.orders,
            "/refresh": self.refresh,
            "/api/orders": self.api,
        }
        page = pages.get(urlsplit(self.path).path)
        self.answer(404, {"error": "not found"}) if page is None else page()

    def do_POST(self) -> None:
        """Ends the sessions that a logout token names (OpenID Connect Back-Channel Logout 1.0, §2.6)."""
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        try:
            told = claims_of(form["logout_token"][0], typ="logout+jwt", audience=CLIENT_ID)
            if LOGOUT_EVENT not in told["events"] or "nonce" in told:
                raise ValueError("not a logout")
        except (JoseError, ValueError, KeyError) as error:
            self.answer(400, {"error": "invalid_request", "error_description": str(error)})
            return
        for secret in [secret for secret, each in visitors.items() if each.get("sid") == told["sid"]]:
            visitors[secret] = {"ended": True}
        self.answer(200, {})

    @property
    def visitor(self) -> dict[str, Any]:
        """What is known of this browser."""
        cookie = SimpleCookie(self.headers.get("Cookie", "")).get(COOKIE)
        return visitors.get(cookie.value, {}) if cookie else {}

    def index(self) -> None:
        """Says who is signed in."""
        if email := self.visitor.get("email"):
            self.answer(200, {"signed_in": email})
        else:
            self.answer(200, {"signed_in": None, "ended_elsewhere": self.visitor.get("ended", False)})

    def login(self) -> None:
        """Sends the browser to the provider, with state, nonce and the challenge of PKCE."""
        verifier, nonce, secret = generate_token(64), generate_token(), secrets.token_urlsafe(32)
        endpoint = provider["authorization_endpoint"]
        url, state = oauth_session({}).create_authorization_url(endpoint, code_verifier=verifier, nonce=nonce)
        visitors[secret] = {"verifier": verifier, "nonce": nonce, "state": state}
        self.redirect(url, {"Set-Cookie": f"{COOKIE}={secret}; HttpOnly; SameSite=Lax; Path=/"})

    def callback(self) -> None:
        """Redeems the code, and checks the ID token."""
        visitor = self.visitor
        members = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        if not visitor.get("state") or members.get("state") != visitor["state"] or members.get("iss") != ISSUER:
            self.answer(400, {"error": "This answer does not belong to this browser."})
            return
        session, url = oauth_session({}), f"{ADDRESS}{self.path}"
        verifier = visitor.pop("verifier")
        tokens = session.fetch_token(provider["token_endpoint"], authorization_response=url, code_verifier=verifier)
        user = claims_of(tokens["id_token"], typ="JWT", audience=CLIENT_ID)
        if user["nonce"] != visitor.pop("nonce"):
            self.answer(400, {"error": "The ID token is not for this sign-in."})
            return
        visitor |= {"tokens": tokens, "email": user["email"], "sid": user["sid"], "state": ""}
        self.redirect("/", {})

    def orders(self) -> None:
        """Calls the API in the name of the user."""
        token = self.visitor.get("tokens", {}).get("access_token", "")
        answer = requests.get(f"{ADDRESS}/api/orders", headers={"Authorization": f"Bearer {token}"}, timeout=10)
        self.answer(answer.status_code, answer.json())

    def refresh(self) -> None:
        """Gets a new access token."""
        visitor = self.visitor
        before = visitor["tokens"]["access_token"]
        visitor["tokens"] = oauth_session(visitor).refresh_token(provider["token_endpoint"])
        is_new = visitor["tokens"]["access_token"] != before
        self.answer(200, {"new_access_token": is_new, "expires_in": visitor["tokens"]["expires_in"]})

    def api(self) -> None:
        """The API: it needs a token for itself, with the right orders:read."""
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            claims = claims_of(token, typ="at+jwt", audience=API)
        except (JoseError, ValueError):
            self.answer(401, {"error": "invalid_token"})
            return
        if "orders:read" not in claims["scope"].split():
            self.answer(403, {"error": "insufficient_scope"})
            return
        self.answer(200, {"orders": [{"id": 1, "of_user": claims["sub"], "for_application": claims["client_id"]}]})

    def answer(self, status: int, body: Any) -> None:
        """Sends JSON."""
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def redirect(self, url: str, headers: dict[str, str]) -> None:
        """Sends the browser on."""
        self.send_response(303)
        for name, value in {"Location": url, "Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()


if __name__ == "__main__":
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # its own address on this machine is http
    ThreadingHTTPServer(("127.0.0.1", PORT), Application).serve_forever()
