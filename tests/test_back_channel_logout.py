"""An application on its own server is told of a logout that begins elsewhere, by the real outbox, broker and worker."""

import base64
import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from evidence.harness.local_processes import need_private_addresses
from evidence.harness.local_server import QuietHandler, serving
from evidence.harness.stack import PASSWORD
from evidence.harness.waiting import eventually


@pytest.fixture
def application():
    """A server for logouts: its address, and the received forms. It fails once, as while it restarts."""
    received = []

    class Handler(QuietHandler):
        def do_POST(self):
            received.append(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            self.send_response(503 if len(received) == 1 else 200)
            self.end_headers()

    with serving(Handler) as address:
        yield address, received


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def sign_in(stack, client, callback, email):
    """A user signs in at the application; returns the ID token."""
    browser = requests.Session()
    query = {"client_id": client["client_id"], "response_type": "code", "scope": "openid", "nonce": "a-nonce"}
    page = browser.get(
        f"{stack.gateway}/auth-ms/oauth/authorize", params=query | {"redirect_uri": callback}, timeout=60
    )
    assert page.status_code == 200, page.text
    form = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    answer = browser.post(
        f"{stack.gateway}/auth-ms/oauth/interaction",
        form | {"username": email, "password": PASSWORD},
        allow_redirects=False,
        timeout=60,
    )
    code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
    tokens = requests.post(
        f"{stack.gateway}/auth-ms/oauth/token",
        {"grant_type": "authorization_code", "code": code, "redirect_uri": callback},
        auth=(client["client_id"], client["client_secret"]),
        timeout=60,
    )
    assert tokens.status_code == 200, tokens.text
    return tokens.json()["id_token"]


def test_an_application_that_restarts_is_told_of_a_logout_everywhere(stack, admin, application):
    need_private_addresses(stack)
    address, received = application
    user = stack.verified_user()
    registration = {
        "name": "Orders",
        "redirect_uris": [f"{address}/callback"],
        "scopes": ["openid"],
        "first_party": True,
        "require_pkce": False,
        "backchannel_logout_uri": f"{address}/logout",
    }
    client = stack.call("POST", "/auth-ms/clients", registration, token=admin["access_token"]).json()
    id_token = claims_of(sign_in(stack, client, f"{address}/callback", user["email"]))
    account = stack.log_in(user["email"]).json()

    stack.call("POST", "/auth-ms/auth/logout-all", token=account["access_token"])

    eventually(lambda: len(received) == 2)
    logout = claims_of(received[1]["logout_token"][0])
    assert (logout["sid"], logout["sub"], logout["aud"]) == (id_token["sid"], id_token["sub"], client["client_id"])

    def log():
        path = f"/auth-ms/logout-deliveries?client_id={client['client_id']}"
        return stack.call("GET", path, token=admin["access_token"]).json()["results"]

    [delivery] = eventually(lambda: [each for each in log() if each["status"] == "delivered"])
    assert (delivery["attempts"], delivery["last_error"]) == (2, "")
