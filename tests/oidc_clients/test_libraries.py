"""Client libraries sign a user in, refresh, introspect, revoke, and act as themselves: Authlib and openid-client 6.

Each has a program with one protocol: it prints where the browser goes, reads where it came back to, and prints what it
learned.
"""

import json
import os
import subprocess

import pytest

from evidence.harness import client_packages
from evidence.harness.secure_stack import CALLBACK
from evidence.harness.stack import PASSWORD

API = "https://api.orders.example.org"
PROVEN = (
    "discovery, code with PKCE, ID token, userinfo, refresh, introspection, revocation and client credentials over TLS"
)


@pytest.fixture(scope="module")
def authlib():
    return [client_packages.python(), "-W", "ignore", client_packages.PROGRAMS / "authlib_client.py"]


@pytest.fixture(scope="module")
def openid_client():
    return ["node", client_packages.node_modules() / "openid_client.mjs"]


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
    settings = {
        "ISSUER": secure.issuer,
        "CLIENT_ID": client["client_id"],
        "CLIENT_SECRET": client["client_secret"],
        "CALLBACK": CALLBACK,
        "REQUESTS_CA_BUNDLE": str(secure.authority),
        "NODE_EXTRA_CA_CERTS": str(secure.authority),
    }
    pipe = subprocess.PIPE
    program = subprocess.Popen(command, env=os.environ | settings, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    url, browser, came_back = program.stdout.readline().strip(), secure.browser(), ""
    if url:
        came_back = browser.sign_in(browser.open(url), secure.user["email"], PASSWORD).headers["Location"]
    out, errors = program.communicate(f"{came_back}\n", timeout=120)

    assert program.returncode == 0, errors
    learned = json.loads(out)
    assert learned.pop("machine").lower() == "bearer"
    assert learned == {
        "issuer": secure.issuer,
        "email": secure.user["email"],
        "userinfo": secure.user["email"],
        "active": True,
        "active_after_revocation": False,
    }
    print(f"{library} with {algorithm}: {PROVEN}")
