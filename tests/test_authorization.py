"""Who may call what: every operation that the services publish, by five kinds of callers.

An operation without a row here fails, and so does a row without an operation. `other` asks for what belongs to `user`.
Requests with a body send `{}`, so that 400 says: let in, and then refused for what was asked.
"""

import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from chassis.testing.waiting import eventually

CALLERS = ["anonymous", "user", "other", "admin", "service"]
OPEN = [200, 200, 200, 200, 200]
OPEN_BODY = [400, 400, 400, 400, 400]
OWN = [401, 200, 200, 200, 401]  # each caller's own
ADMIN = [401, 403, 403, 200, 401]
SERVICE = [401, 401, 401, 401, 400]
MATRIX: dict[str, dict[str, list[int]]] = {
    "users": {
        "healthcheck": OPEN,
        "ready": OPEN,
        "load_test": OPEN,
        "create_user": OPEN_BODY,
        "get_current_user": OWN,
        "export_user": OWN,
        "get_user": [401, 200, 404, 200, 401],
        "replace_user": [401, 400, 404, 400, 401],
        "update_user": [401, 200, 404, 200, 401],
        "delete_user": [401, 204, 404, 204, 401],
        "list_users": ADMIN,
        "get_credentials": [401, 401, 401, 401, 200],
        "get_rights": [401, 401, 401, 401, 200],
        "verify_email": SERVICE,
        "undo_email_change": SERVICE,
        "verify_phone": SERVICE,
        "set_password": SERVICE,
        "get_deletion": OPEN,  # inside alone: it tells nothing but whether a number is used up
    },
    "auth": {
        "healthcheck": OPEN,
        "ready": OPEN,
        "get_keys": OPEN,
        "login": OPEN_BODY,
        "complete_login": OPEN_BODY,
        "login_with_passkey": OPEN_BODY,
        "begin_passkey_login": OPEN,
        "refresh": OPEN_BODY,
        "forgot_password": OPEN_BODY,
        "reset_password": OPEN_BODY,
        "verify_email": OPEN_BODY,
        "undo_email_change": OPEN_BODY,
        "request_email_verification": [401, 202, 409, 409, 401],  # others have proven it
        "request_phone_verification": [401, 409, 409, 409, 401],  # they have none
        "verify_phone": [401, 400, 400, 400, 401],
        "change_password": [401, 400, 400, 400, 401],
        "logout": [401, 204, 204, 204, 401],
        "logout_all": [401, 204, 204, 204, 401],
        "list_sessions": OWN,
        "revoke_session": [401, 204, 404, 204, 401],  # an admin ends anybody's
        "get_second_factors": OWN,
        "renew_recovery_codes": [401, 404, 404, 404, 401],
        "disable_totp": [401, 404, 404, 404, 401],  # before one is begun: the admin is the same in all tests
        "begin_totp": [401, 201, 201, 201, 401],
        "confirm_totp": [401, 400, 400, 400, 401],
        "list_passkeys": OWN,
        "add_passkey": [401, 400, 400, 400, 401],
        "begin_passkey": OWN,
        "remove_passkey": [401, 404, 404, 404, 401],
        "list_activity": OWN,
        "export_sign_in_data": OWN,
        "get_live_session": OWN,
        "get_live_principal": OWN,
        "list_audit_events": ADMIN,
        "introspect": [401, 403, 403, 400, 400],
    },
    "notification": {
        "healthcheck": OPEN,
        "ready": OPEN,
        "list_notifications": OWN,
        "get_notification": [401, 200, 404, 200, 401],
        "export_notifications": OWN,
        "get_preferences": OWN,
        "set_preferences": [401, 400, 400, 400, 401],
        "preview_notice": ADMIN,
        "list_dead_letters": ADMIN,
        "redeliver_dead_letters": [401, 403, 403, 400, 401],
    },
}
ROWS = [(service, operation) for service, rows in MATRIX.items() for operation in rows]
# What only a verified address allows; of other users none is needed.
FOR_VERIFIED = ("begin_totp", "confirm_totp", "begin_passkey", "add_passkey", "request_phone_verification")
SERVICE_TOKEN_SECONDS = 60  # they are valid for two minutes
QUERIES = {"load_test": {"n": "1"}, "get_credentials": {"email": "{email}"}}


@pytest.fixture(scope="module")
def operations(stack) -> dict[tuple[str, str], tuple[str, str, bool]]:
    """By service and operation: the method, the path, and whether it takes a body."""
    found = {}
    for service in MATRIX:
        url = f"{getattr(stack, service)}/{service}-ms/internal/openapi.json"
        for path, methods in requests.get(url, timeout=10).json()["paths"].items():
            for method, operation in methods.items():
                found[service, operation["operationId"]] = (method.upper(), path, "requestBody" in operation)
    return found


@pytest.fixture(scope="module")
def service_token(stack) -> Callable[[str], str]:
    """`service_token("users")` is what auth-ms signs for itself, for that service."""
    tokens: dict[str, tuple[float, str]] = {}

    def token(service: str) -> str:
        made_at, kept = tokens.get(service, (0.0, ""))
        if kept and time.monotonic() - made_at < SERVICE_TOKEN_SECONDS:
            return kept
        program = (
            f"from auth_ms.sign_in import issuing; print('token=' + issuing.service_token(audience='{service}-ms'))"
        )
        said = stack.command("manage", "auth", "shell", "--command", program, stdout=subprocess.PIPE).stdout
        [made] = [line.removeprefix("token=") for line in said.splitlines() if line.startswith("token=")]
        tokens[service] = time.monotonic(), made
        return made

    return token


@pytest.fixture(scope="module")
def other(stack) -> str:
    """The address of somebody else."""
    return str(stack.verified_user()["email"])


@pytest.fixture
def user(stack, operation) -> dict[str, Any]:
    """Whose things are asked for: the account, its tokens, its session and its first notification."""
    account = stack.verified_user() if operation in FOR_VERIFIED else stack.sign_up()
    tokens = stack.log_in(account["email"]).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    [session] = requests.get(f"{stack.auth}/auth-ms/auth/sessions", headers=headers, timeout=10).json()["results"]
    return account | {"token": tokens["access_token"], "session_id": session["id"]}


def notification_of(stack, user) -> int:
    """The id of the first notification of a user."""
    url, headers = f"{stack.notification}/notification-ms/notifications", {"Authorization": f"Bearer {user['token']}"}
    found = eventually(lambda: requests.get(url, headers=headers, timeout=10).json()["results"])
    return int(found[0]["id"])


def test_every_operation_has_a_row(operations):
    assert sorted(operations) == sorted(ROWS)


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(("service", "operation"), ROWS)
def test_an_operation_lets_in_whom_it_should(
    stack, operations, service_token, user, other, admins_email, service, operation, caller
):
    method, path, has_body = operations[service, operation]
    values = {"user_id": user["id"], "session_id": user["session_id"], "passkey_id": 1, "event": "new_user_event"}
    if "{notification_id}" in path:
        values["notification_id"] = notification_of(stack, user)
    tokens = {
        "user": lambda: user["token"],
        "other": lambda: stack.token_of(other),
        "admin": lambda: stack.log_in(admins_email).json()["access_token"],
        "service": lambda: service_token(service),
    }
    headers = {"Authorization": f"Bearer {tokens[caller]()}"} if caller in tokens else {}

    answer = requests.request(
        method,
        getattr(stack, service) + path.format(**values),
        params={name: value.format(**user) for name, value in QUERIES.get(operation, {}).items()},
        json={} if has_body else None,
        headers=headers,
        timeout=10,
    )

    assert answer.status_code == MATRIX[service][operation][CALLERS.index(caller)], answer.text
