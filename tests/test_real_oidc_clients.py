"""Client libraries that nobody here wrote sign a user in, on the running stack: Authlib and openid-client 6.

They are installed from PyPI and npm. `oidc_clients/` has a program for each, with one protocol: it prints where the
browser goes, reads where it came back to, and prints what it learned.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from evidence.harness.stack import PASSWORD

PROGRAMS = Path(__file__).parent / "oidc_clients"
CALLBACK = "https://orders.example.org/callback"


def install(*command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def authlib(tmp_path_factory):
    folder = tmp_path_factory.mktemp("authlib")
    target = ["--python", sys.executable, "--target", str(folder)]
    install(sys.executable, "-m", "uv", "pip", "install", *target, "authlib~=1.6.0", "requests", folder=folder)
    return [sys.executable, "-W", "ignore", str(PROGRAMS / "authlib_client.py")], {"PYTHONPATH": str(folder)}


@pytest.fixture(scope="module")
def openid_client(tmp_path_factory):
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("openid-client")
    install("npm", "install", "--no-audit", "--no-fund", "openid-client@6", folder=folder)
    shutil.copy(PROGRAMS / "openid_client.mjs", folder)
    return ["node", str(folder / "openid_client.mjs")], {}


@pytest.fixture
def issuer(stack):
    return requests.get(f"{stack.gateway}/.well-known/openid-configuration", timeout=60).json()["issuer"]


def sign_in(url, email):
    """A browser without scripts: open the page, send its form, and stop before the client's own address."""
    browser = requests.Session()
    page = browser.get(url, timeout=60)
    assert page.status_code == 200, page.text
    form = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    action = re.search(r'<form method="post" action="([^"]+)"', page.text)[1]
    given = form | {"username": email, "password": PASSWORD}
    answer = browser.post(requests.compat.urljoin(url, action), given, allow_redirects=False, timeout=60)
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


@pytest.mark.parametrize("library", ["authlib", "openid_client"])
@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_a_library_signs_in_refreshes_introspects_and_revokes(stack, admin, issuer, request, library, algorithm):
    command, environment = request.getfixturevalue(library)
    user = stack.verified_user()
    registration = {
        "name": library,
        "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
        "redirect_uris": [CALLBACK],
        "scopes": ["openid", "email", "orders:read"],
        "first_party": True,
        "signing_algorithm": algorithm,
        "token_endpoint_auth_method": "client_secret_post" if library == "openid_client" else "client_secret_basic",
    }
    client = stack.call("POST", "/auth-ms/clients", registration, token=admin["access_token"]).json()
    settings = {"ISSUER": issuer, "CLIENT_ID": client["client_id"], "CLIENT_SECRET": client["client_secret"]}
    whole = os.environ | environment | settings | {"CALLBACK": CALLBACK, "AUTHLIB_INSECURE_TRANSPORT": "1"}
    program = subprocess.Popen(
        command, env=whole, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    url = program.stdout.readline().strip()
    came_back = sign_in(url, user["email"]) if url else ""
    out, errors = program.communicate(f"{came_back}\n", timeout=60)

    assert program.returncode == 0, errors
    learned = json.loads(out)
    assert learned.pop("machine").lower() == "bearer"
    assert learned == {
        "issuer": issuer,
        "email": user["email"],
        "userinfo": user["email"],
        "active": True,
        "active_after_revocation": False,
    }
