"""Users sign in with providers that others wrote, or that are another installation of Tessera."""

import secrets
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
import requests

from evidence.harness import client_packages
from evidence.harness.secure_stack import ORDERS
from evidence.harness.stack import PASSWORD
from evidence.harness.waiting import eventually
from local import ports
from local.layout import Program
from local.running_program import running_program


@contextmanager
def oidc_provider(secure, slug):
    """npm's oidc-provider, in which `slug` of Tessera is registered; yields its issuer and that client."""
    port = ports.free("APPLICATION_PORT")["APPLICATION_PORT"]
    client = {"client_id": "tessera", "client_secret": secrets.token_urlsafe(32)}
    environment = {
        "PORT": str(port),
        "CLIENT_ID": client["client_id"],
        "CLIENT_SECRET": client["client_secret"],
        "CALLBACK": callback(secure, slug),
    }
    command = ["node", str(client_packages.node_modules() / "oidc_provider.mjs")]
    directory = secure.layout.directory
    program = Program(name=slug, command=command, environment=environment, port=port, directory=directory)
    with running_program(secure.layout, program):
        yield f"http://127.0.0.1:{port}", client


def callback(relying, slug):
    return f"{relying.issuer}/auth-ms/oauth/external/{slug}/callback"


def add_provider(secure, slug, issuer, client, **changes):
    """The provider as an admin of `secure` adds it, once it answers."""
    body = {"slug": slug, "name": slug, "issuer": issuer, **client, **changes}
    token = secure.stack.token_of(secure.admin)

    def added():
        answer = secure.stack.call("POST", "/auth-ms/external-providers", body, token=token)
        assert answer.status_code in (201, 400), answer.text
        return answer.status_code == 201

    eventually(added)


def go_to(browser, secure, client, slug):
    """From the application to the provider's first page."""
    page = browser.open(secure.authorization_url(client))
    assert f"Continue with {slug}" in page.text
    return browser.send(page, formaction=f"/auth-ms/oauth/external/{slug}")


def claims_of(secure, client, answer):
    """The ID token that the application gets in the end."""
    code = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))["code"]
    return jwt.decode(secure.redeem(client, code=code).json()["id_token"], options={"verify_signature": False})


@pytest.fixture
def orders(secure):
    return secure.register("Orders", **ORDERS, first_party=True)


def test_a_user_of_oidc_provider_gets_an_account_and_has_it_the_next_time(secure, orders):
    slug = f"node-{secrets.token_hex(4)}"
    name = f"grace{secrets.token_hex(4)}"
    with oidc_provider(secure, slug) as (issuer, client):
        add_provider(secure, slug, issuer, client, trusts_email=True)

        def sign_in():
            browser = secure.browser()
            page = go_to(browser, secure, orders, slug)
            assert page.url.startswith(f"{issuer}/interaction/"), page.text
            page = browser.send(page, login=name, password="any")
            return claims_of(secure, orders, browser.send(page))  # the consent of oidc-provider

        first, second = sign_in(), sign_in()

    assert first["sub"] == second["sub"]
    assert (first["amr"], first["acr"]) == (["fed"], "aal1")
    query = f"/users-ms/users?email={name}@elsewhere.example.org"
    (user,) = secure.stack.call("GET", query, token=secure.stack.token_of(secure.admin)).json()["results"]
    assert (user["name"], user["surname"], user["email_verified"]) == ("Grace", "Hopper", True)
    assert str(user["id"]) == first["sub"]


def test_another_tessera_is_the_provider_and_an_existing_account_is_linked_by_its_owner(stack, admin, secure, orders):
    slug = f"tessera-{secrets.token_hex(4)}"
    issuer = requests.get(f"{stack.gateway}/.well-known/openid-configuration", timeout=60).json()["issuer"]
    members = {"name": slug, "redirect_uris": [callback(secure, slug)], "scopes": ["openid", "email", "profile"]}
    body = members | {"first_party": True}
    client = stack.call("POST", "/auth-ms/clients", body, token=admin["access_token"]).json()
    client = {name: client[name] for name in ("client_id", "client_secret")}
    add_provider(secure, slug, issuer, client)
    there = stack.verified_user(email=secure.user["email"])  # the same address there as here

    browser = secure.browser()
    page = go_to(browser, secure, orders, slug)
    assert page.url.startswith(issuer) and 'type="password"' in page.text
    page = browser.sign_in(page, there["email"], PASSWORD)
    assert page.url.startswith(secure.issuer) and "This sign-in has no account yet" in page.text
    page = browser.sign_in(page, secure.user["email"], PASSWORD)
    assert "Link this sign-in?" in page.text
    linked = claims_of(secure, orders, browser.send(page, decision="allow"))

    other = secure.browser()
    again = other.sign_in(go_to(other, secure, orders, slug), there["email"], PASSWORD)
    claims = claims_of(secure, orders, again)
    assert (linked["sub"], linked["amr"]) == (str(secure.user["id"]), ["pwd"])
    assert (claims["sub"], claims["amr"]) == (linked["sub"], ["fed"])
