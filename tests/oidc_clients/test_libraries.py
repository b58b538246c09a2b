"""Client libraries sign a user in, refresh, introspect, revoke, and act as themselves: Authlib and openid-client 6.

Each has a program in `programs/`.
"""

import pytest

from evidence.harness import client_packages, client_programs
from evidence.harness.client_programs import run
from evidence.harness.secure_stack import CALLBACK
from evidence.harness.stack import PASSWORD

API = "https://api.orders.example.org"
PROVEN = (
    "discovery, code with PKCE, ID token, userinfo, refresh, introspection, revocation and client credentials over TLS"
)


@pytest.fixture(scope="module")
def authlib():
    return client_programs.authlib()


@pytest.fixture(scope="module")
def openid_client():
    return ["node", client_packages.node_modules() / "openid_client.mjs"]


def signed_in(secure, url):
    browser = secure.browser()
    return browser.sign_in(browser.open(url), secure.user["email"], PASSWORD).headers["Location"]


@pytest.mark.parametrize("library", ["authlib", "openid_client"])
@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_a_library_signs_in_refreshes_introspects_and_revokes(secure, request, library, algorithm):
    command = request.getfixturevalue(library)
    client = secure.register(
        library,
        grant_types=["authorization_code", "refresh_token", "client_credentials"],
        redirect_uris=[CALLBACK],
        scopes=["openid", "email", "orders:read"],
        resources=[API],
        first_party=True,
        signing_algorithm=algorithm,
        token_endpoint_auth_method="client_secret_post" if library == "openid_client" else "client_secret_basic",
    )
    learned = run(secure, command, client, visit=lambda url: signed_in(secure, url))

    assert learned.pop("machine").lower() == "bearer"
    learned.pop("end_session", None)  # of Authlib, for signs_in_and_out()
    assert learned == {
        "issuer": secure.issuer,
        "email": secure.user["email"],
        "userinfo": secure.user["email"],
        "active": True,
        "active_after_revocation": False,
    }
    print(f"{library} with {algorithm}: {PROVEN}")


def test_openid_client_binds_tokens_to_its_key_with_dpop(secure):
    client = secure.register(
        "DPoP",
        grant_types=["authorization_code", "refresh_token", "client_credentials"],
        redirect_uris=[CALLBACK],
        scopes=["openid", "email", "orders:read"],
        resources=[API],
        first_party=True,
        token_endpoint_auth_method="client_secret_post",
        dpop_bound_access_tokens=True,
    )
    command = ["node", client_packages.node_modules() / "openid_client_dpop.mjs"]

    learned = run(secure, command, client, visit=lambda url: signed_in(secure, url))

    known = {"types": ["dpop"] * 3, "thumbprint": True, "userinfo": secure.user["email"], "stolen": 401}
    assert learned == known
    print("openid_client: DPoP with the server's nonce for PAR, code, refresh, userinfo and client credentials")


def test_openid_client_registers_itself_and_signs_in_with_consent(secure):
    registrar = secure.register(
        "Registrar",
        grant_types=["client_credentials"],
        scopes=["clients:register"],
        resources=[f"{secure.issuer}/auth-ms/oauth/register"],
        token_endpoint_auth_method="client_secret_post",
    )
    command = ["node", client_packages.node_modules() / "openid_client_registration.mjs"]

    def visit(url):
        browser = secure.browser()
        page = browser.send(browser.open(url), username=secure.user["email"], password=PASSWORD)
        assert "Invoices" in page.text, page.text
        assert CALLBACK in page.text, page.text
        return browser.send(page, decision="allow").headers["Location"]

    learned = run(secure, command, registrar, visit=visit)

    assert learned == {"name": "Invoices", "userinfo": secure.user["email"], "statuses": [200, 204, 401]}
    print("openid_client: dynamic registration, consent, code, refresh, userinfo, and managing its registration")


@pytest.mark.parametrize("is_signed_in", [False, True])
def test_openid_client_on_a_device(secure, is_signed_in):
    grants = ["urn:ietf:params:oauth:grant-type:device_code"]
    client = secure.register(
        "Television", grant_types=grants, scopes=["openid", "email"], token_endpoint_auth_method="none"
    )
    command = ["node", client_packages.node_modules() / "openid_client_device.mjs"]
    browser = secure.browser()
    if is_signed_in:
        other = secure.register("Orders", redirect_uris=[CALLBACK], scopes=["openid", "email"], first_party=True)
        browser.sign_in(browser.open(secure.authorization_url(other)), secure.user["email"], PASSWORD)

    def visit(url):
        page = browser.send(browser.open(url))  # the code is filled in
        if not is_signed_in:
            page = browser.send(page, username=secure.user["email"], password=PASSWORD)
        assert 'value="consent"' in page.text, page.text
        done = browser.send(page, decision="allow")
        assert done.status_code == 200, done.text
        return ""

    learned = run(secure, command, client, visit=visit)

    assert learned["userinfo"] == secure.user["email"]
    print(f"openid_client: device authorization; the user is {'already' if is_signed_in else 'not yet'} signed in")
