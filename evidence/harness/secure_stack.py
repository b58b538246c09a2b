"""A stack of its own behind the gateway with TLS, for clients of OpenID Connect: the issuer is an https address."""

import base64
import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests
from cryptography import x509

from evidence.harness.certificates import Authority
from evidence.harness.stack import PASSWORD, Stack
from local import ports, programs
from local import stack as stacks
from local.layout import Layout, Program
from local.paths import ROOT
from local.running_program import running_program
from tools.form_browser import FormBrowser
from tools.testing import runner

OUTSIDE = "https://orders.example.org/"  # a client's address that no test opens
CALLBACK = f"{OUTSIDE}callback"
ORDERS = {  # the registration of an ordinary confidential client
    "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
    "redirect_uris": [CALLBACK],
    "scopes": ["openid", "email", "orders:read"],
    "resources": ["https://api.orders.example.org"],
}
VERIFIER = secrets.token_urlsafe(32)
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


@dataclass(frozen=True)
class Provider:
    """A stack as OpenID provider, and what its clients have to know: the issuer, and the CA that they trust."""

    stack: Stack
    issuer: str
    authority: Path  # the certificate of the CA, in PEM
    admin: str  # the email address of an admin
    user: dict[str, Any]  # a user with a verified address

    def register(self, name: str, **members: Any) -> dict[str, Any]:
        """A new client, with its secret."""
        body = {"name": name, **members}
        answer = self.stack.call("POST", "/auth-ms/clients", body, token=self.stack.token_of(self.admin))
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def browser(self) -> FormBrowser:
        """A new browser that trusts the CA."""
        return FormBrowser(certificates=str(self.authority), outside=(OUTSIDE,))

    def discovery(self) -> dict[str, Any]:
        """The discovery document, over TLS."""
        url = f"{self.issuer}/.well-known/openid-configuration"
        return dict(requests.get(url, verify=str(self.authority), timeout=60).json())

    def authorization_url(self, client: dict[str, Any], **parameters: str) -> str:
        """Where the browser goes for a code; `parameters` replace the usual ones, an empty one is left out."""
        usual = {
            "response_type": "code",
            "client_id": client["client_id"],
            "redirect_uri": CALLBACK,
            "scope": "openid email",
            "state": "a-state",
            "nonce": "a-nonce",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        query = urlencode({name: value for name, value in (usual | parameters).items() if value})
        return f"{self.discovery()['authorization_endpoint']}?{query}"

    def came_back(self, client: dict[str, Any], **parameters: str) -> dict[str, str]:
        """What the user's browser brings to CALLBACK after the sign-in."""
        browser = self.browser()
        page = browser.open(self.authorization_url(client, **parameters))
        answer = browser.sign_in(page, self.user["email"], PASSWORD)
        return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))

    def redeem(self, client: dict[str, Any], **form: str) -> requests.Response:
        """The answer of the token endpoint to a code."""
        usual = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        return self.post("token_endpoint", usual | form, auth=(client["client_id"], client["client_secret"]))

    def post(self, endpoint: str, form: dict[str, Any], **options: Any) -> requests.Response:
        """The answer of an endpoint that the discovery document names, such as `token_endpoint`."""
        return requests.post(self.discovery()[endpoint], form, verify=str(self.authority), timeout=60, **options)


@dataclass(frozen=True)
class SecureStack(Provider):
    """One of local processes."""

    layout: Layout


@contextmanager
def secure_stack(directory: Path) -> Iterator[SecureStack]:
    """Starts such a stack in an empty folder, and stops it when the block ends."""
    directory.mkdir(parents=True)
    authority = Authority(directory)
    certificate = authority.certificate(x509.DNSName("localhost"))
    port = ports.free("TLS_PORT")["TLS_PORT"]
    issuer = f"https://localhost:{port}"
    variables = runner.VARIABLES | runner.ALL_ROUTES | {"PUBLIC_URL": issuer, "WEBAUTHN_ORIGINS": issuer}
    try:
        layout = stacks.up(directory, free_ports=True, variables=variables)
        with running_program(layout, _gateway(layout, issuer, certificate)):
            stack = Stack.of(runner.addresses(layout))
            admin = f"root.{secrets.token_hex(8)}@example.org"
            stack.make_admin(admin)
            yield SecureStack(stack, issuer, authority.file, admin, stack.verified_user(), layout)
    finally:
        stacks.down(directory)


def _gateway(layout: Layout, address: str, certificate: Path) -> Program:
    """The gateway once more, with the certificate of the tests instead of one that Caddy obtains.

    Java names no server in the handshake when its name has no dot.
    """
    text = (ROOT / "gateway" / "Caddyfile").read_text()
    changes = {
        "\tadmin off\n": "\tadmin off\n\tauto_https disable_redirects\n\tdefault_sni localhost\n",
        "{$SITE_ADDRESS:http://:8080} {\n": f"{{$SITE_ADDRESS}} {{\n\ttls {certificate} {certificate}\n",
    }
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    file = layout.directory / "gateway" / "tls.Caddyfile"
    file.write_text(text)
    program = programs.gateway(layout)
    command = [str(file) if part.endswith("Caddyfile") else part for part in program.command]
    port = int(address.rpartition(":")[2])
    environment = program.environment | {"SITE_ADDRESS": address}
    return replace(program, name="tls-gateway", command=command, environment=environment, port=port, url=None)
