"""An identity provider manages an organisation's users at the gateway, and what it does takes effect everywhere."""

import secrets
from collections import Counter
from typing import Any

import pytest
import requests
from scim2_client import BaseSyncSCIMClient
from scim2_tester import Status, check_server

from evidence.harness.stack import PASSWORD
from evidence.harness.waiting import eventually

PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


class AtGateway(BaseSyncSCIMClient):
    """Requests of scim2-client with `requests`."""

    def __init__(self, gateway: str, token: str) -> None:
        super().__init__()
        self._gateway = gateway
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"

    def request(self, method: str, url: str, **options: Any) -> requests.Response:
        base = "/users-ms/scim/v2"
        return self._session.request(method, self._gateway + base + url.removeprefix(base), timeout=60, **options)

    def _stays_under_base_url(self, endpoint: str) -> bool:
        return True

    def _parse_json(self, response: Any) -> Any:
        return response.json()


@pytest.fixture
def provider(stack, admin):
    """`provider("*")`: the token and id of a new client, of an organisation of its own."""

    def make(*domains):
        owner = stack.sign_up()
        given = {"name": "Acme", "slug": f"acme-{secrets.token_hex(6)}", "owner_id": owner["id"]}
        token = admin["access_token"]
        organisation = stack.call("POST", "/users-ms/organisations", given, token=token).json()
        path = f"/users-ms/organisations/{organisation['id']}/scim-clients"
        answer = stack.call("POST", path, {"name": "Entra ID", "domains": list(domains)}, token=token)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return make


def test_every_check_of_scim2_tester_succeeds_at_the_gateway(stack, provider):
    results = check_server(AtGateway(stack.gateway, provider("*")["token"]))

    failed = [f"{each.title}: {each.reason}" for each in results if each.status in (Status.ERROR, Status.CRITICAL)]
    assert not failed, "\n".join(failed)
    counted = Counter(each.status.name for each in results)
    print(f"scim2-tester: {dict(counted)}")
    assert {each.title for each in results if each.status != Status.SUCCESS} <= {"search_with_attributes"}
    assert counted["SUCCESS"] > 50


def test_a_deactivation_ends_sessions_and_a_deletion_erases(stack, provider, admin):
    domain = f"{secrets.token_hex(6)}.example"
    client = provider(domain)
    email = f"ada@{domain}"

    def scim(method, path, body=None):
        return stack.call(method, f"/users-ms/scim/v2{path}", body, token=client["token"])

    def set_active(value):
        change = {"schemas": [PATCH], "Operations": [{"op": "Replace", "path": "active", "value": value}]}
        return scim("PATCH", f"/Users/{user['id']}", change)

    def audited(event):
        query = f"/auth-ms/auth/audit-log?user_id={user['id']}&event={event}"
        return stack.call("GET", query, token=admin["access_token"]).json()["results"]

    user = scim("POST", "/Users", {"userName": email, "name": {"givenName": "Ada"}}).json()
    assert stack.call("POST", "/auth-ms/auth/password/forgot", {"email": email}).status_code == 202
    mail = eventually(lambda: stack.mails(email, "Set a new password"))[0]
    reset = {"token": stack.mailed_token(mail), "new_password": PASSWORD}
    assert stack.call("POST", "/auth-ms/auth/password/reset", reset).status_code in (200, 204)
    session = stack.log_in(email).json()

    assert set_active("False").json()["active"] is False
    # Live decisions count at once; the session ends by the event.
    path = f"/users-ms/users/{user['id']}"
    assert stack.call("PATCH", path, {"name": "Eve"}, token=session["access_token"]).status_code == 401
    refresh = {"refresh_token": session["refresh_token"]}
    eventually(lambda: stack.call("POST", "/auth-ms/auth/refresh", refresh).status_code == 401)
    assert stack.log_in(email).status_code == 401
    [ended] = eventually(lambda: audited("deactivated"))
    assert ended["details"] == {"scim_client_id": client["id"]} and ended["actor_id"] is None

    assert set_active(True).json()["active"] is True
    assert stack.log_in(email).status_code == 200

    assert scim("DELETE", f"/Users/{user['id']}").status_code == 204
    assert stack.log_in(email).status_code == 401
    [erased] = eventually(lambda: audited("user_deleted"))
    assert erased["details"]["scim_client_id"] == client["id"]


def test_paths_of_scim_pass_the_gateway_and_no_others(stack, provider):
    token = provider("*")["token"]

    def status(path, method="GET"):
        url = f"{stack.gateway}/users-ms/{path}"
        return requests.request(method, url, headers={"Authorization": f"Bearer {token}"}, timeout=60).status_code

    assert status("scim/v2/Schemas/urn:ietf:params:scim:schemas:core:2.0:User") == 200
    assert status('scim/v2/Users?filter=userName eq "ada@acme.example"') == 200
    assert status("scim/v2/.search", "POST") == 501
    for path in (
        "scim/v2/Users/urn:x",
        "scim/v2/.hidden",
        "users:x",
        "scim/v2/Schemas/urn:a/../x",
        "scim/v2/Users/a%2fb",
    ):
        assert status(path) == 404, path
