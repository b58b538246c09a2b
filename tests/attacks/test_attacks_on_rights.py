"""Revoked rights and tokens of ended sessions lose their effect in all services within a second.

Issue 21, lines 1, 2 and 4.
"""

import secrets
import subprocess

import pytest

from evidence.harness.accounts import is_over, reset_token
from evidence.harness.stack import PASSWORD
from evidence.harness.waiting import eventually

NEW = "a longer staple of horses"


@pytest.fixture
def boss(stack, admin):
    """`boss("PATCH", "/users-ms/users/7", {...})` calls as an admin who keeps the role."""

    def call(method, path, body=None):
        return stack.call(method, path, body, token=admin["access_token"])

    return call


@pytest.fixture
def dismissible(stack):
    """Another admin: the account and its token."""
    email = f"dismissible.{secrets.token_hex(8)}@example.org"
    stack.make_admin(email)
    token = stack.token_of(email)
    return stack.call("GET", "/users-ms/users/me", token=token).json() | {"token": token}


def test_a_demoted_admin_cannot_reinstate_itself(stack, boss, dismissible):
    path = f"/users-ms/users/{dismissible['id']}"
    assert boss("PATCH", path, {"is_admin": False}).status_code == 200

    for field in ({"is_admin": True}, {"scopes": ["orders:read"]}):
        stack.call("PATCH", path, field, token=dismissible["token"])
        stack.call("PUT", path, {**profile(dismissible), **field}, token=dismissible["token"])

    now = boss("GET", path).json()
    assert (now["is_admin"], now["scopes"]) == (False, [])
    assert is_over(lambda: stack.call("GET", "/users-ms/users", token=dismissible["token"]))


def profile(user):
    return {name: user[name] for name in ("name", "surname", "email")}


def test_a_deactivated_admin_cannot_change_users_or_reactivate_itself(stack, boss, dismissible):
    victim = stack.verified_user()
    path = f"/users-ms/users/{dismissible['id']}"
    assert boss("PATCH", path, {"is_active": False}).status_code == 200

    moved = stack.call(
        "PATCH", f"/users-ms/users/{victim['id']}", {"email": "thief@example.org"}, token=dismissible["token"]
    )
    back = stack.call("PATCH", path, {"is_active": True}, token=dismissible["token"])

    assert (moved.status_code, back.status_code) == (401, 401)
    assert boss("GET", path).json()["is_active"] is False
    assert boss("GET", f"/users-ms/users/{victim['id']}").json()["email"] == victim["email"]


def test_a_deleted_admin_cannot_list_users_or_create_admins(stack, boss, dismissible):
    helper = stack.verified_user()
    assert boss("DELETE", f"/users-ms/users/{dismissible['id']}").status_code == 204

    listed = stack.call("GET", "/users-ms/users", token=dismissible["token"])
    made = stack.call("PATCH", f"/users-ms/users/{helper['id']}", {"is_admin": True}, token=dismissible["token"])

    assert (listed.status_code, made.status_code) == (401, 401)
    assert boss("GET", f"/users-ms/users/{helper['id']}").json()["is_admin"] is False


def test_the_token_of_a_deactivated_user_is_inactive(stack, boss):
    user = stack.verified_user()
    token = stack.token_of(user["email"])
    assert boss("POST", "/auth-ms/auth/introspect", {"token": token}).json()["active"] is True
    boss("PATCH", f"/users-ms/users/{user['id']}", {"is_active": False}).raise_for_status()

    assert boss("POST", "/auth-ms/auth/introspect", {"token": token}).json() == {"active": False}


ENDS = ["logout", "logout-all", "session ended by an admin", "password change", "reset", "deactivation", "deletion"]


def end(stack, boss, how, user, token):
    """Revokes a token in the given way."""
    path = f"/users-ms/users/{user['id']}"
    if how in ("logout", "logout-all"):
        answer = stack.call("POST", f"/auth-ms/auth/{how}", token=token)
    elif how == "session ended by an admin":
        [session] = stack.call("GET", "/auth-ms/auth/sessions", token=token).json()["results"]
        answer = boss("DELETE", f"/auth-ms/auth/sessions/{session['id']}")
    elif how == "password change":  # in another session
        body = {"current_password": PASSWORD, "new_password": NEW}
        answer = stack.call("POST", "/auth-ms/auth/password/change", body, token=stack.token_of(user["email"]))
    elif how == "reset":
        answer = stack.call(
            "POST", "/auth-ms/auth/password/reset", {"token": reset_token(stack, user["email"]), "new_password": NEW}
        )
    elif how == "deactivation":
        answer = boss("PATCH", path, {"is_active": False})
    else:
        answer = boss("DELETE", path)
    assert answer.ok, answer.text


@pytest.mark.parametrize("how", ENDS)
def test_a_token_cannot_write_after_its_session_has_ended(stack, boss, how):
    user = stack.verified_user()
    token = stack.token_of(user["email"])
    path = f"/users-ms/users/{user['id']}"

    end(stack, boss, how, user, token)

    assert is_over(lambda: stack.call("PATCH", path, {"surname": "Byron"}, token=token))
    assert is_over(lambda: stack.call("PATCH", path, {"email": "thief@example.org"}, token=token))
    assert is_over(lambda: stack.call("DELETE", path, token=token))
    assert is_over(lambda: stack.call("POST", "/auth-ms/auth/mfa/totp", token=token))
    assert is_over(lambda: stack.call("PUT", "/notification-ms/preferences", {"preferences": []}, token=token))
    now = boss("GET", path)
    assert now.status_code == 404 if how == "deletion" else now.json()["surname"] == "Lovelace"


@pytest.mark.parametrize("how", ["logout-all", "reset", "demotion", "deactivation", "deletion"])
def test_a_former_admins_token_cannot_read_other_users(stack, boss, dismissible, how):
    token, other = dismissible["token"], stack.verified_user()
    reads = [
        "/users-ms/users",
        f"/users-ms/users/{other['id']}",
        "/auth-ms/auth/audit-log",
        f"/notification-ms/notifications?user_id={other['id']}",
        "/notification-ms/dead-letters",
    ]
    assert [stack.call("GET", path, token=token).status_code for path in reads] == [200] * len(reads)

    if how == "demotion":
        boss("PATCH", f"/users-ms/users/{dismissible['id']}", {"is_admin": False}).raise_for_status()
    else:
        end(stack, boss, how, dismissible, token)

    for path in reads:
        if how == "demotion" and path.startswith(
            "/notification-ms/notifications"
        ):  # a former admin may still read its own
            assert stack.call("GET", path, token=token).json()["results"] == []
        else:
            assert is_over(lambda path=path: stack.call("GET", path, token=token), statuses=(401, 403, 404))
    assert is_over(lambda: stack.call("POST", "/auth-ms/auth/introspect", {"token": token}, token=token))


def test_without_auth_ms_users_can_read_their_own_data_and_write_nothing(stack, stopped):
    user = stack.verified_user()
    token = stack.token_of(user["email"])
    path = f"/users-ms/users/{user['id']}"
    assert stack.call("GET", path, token=token).status_code == 200  # from now on the keys are cached
    stopped("auth-ms")

    written = stack.call_once("PATCH", path, {"surname": "Byron"}, token=token)
    read = stack.call("GET", path, token=token)

    assert (written.status_code, read.status_code) == (503, 200)
    assert written.headers["Retry-After"]
    assert read.json()["surname"] == "Lovelace"


def test_without_users_ms_admins_cannot_read_other_users_and_users_can_sign_out(stack, stopped, admins_email):
    token, own = stack.token_of(admins_email), stack.token_of(stack.verified_user()["email"])
    assert stack.call("GET", "/notification-ms/dead-letters", token=token).status_code == 200
    stopped("users-ms")

    answers = [
        stack.call_once("GET", "/notification-ms/dead-letters", token=token),
        stack.call_once("GET", "/auth-ms/auth/audit-log", token=token),
        stack.call_once("POST", "/auth-ms/auth/introspect", {"token": own}, token=token),
        stack.call_once("PUT", "/notification-ms/preferences", {"preferences": []}, token=own),
        stack.call_once("GET", "/notification-ms/notifications", token=own),
        stack.call_once("POST", "/auth-ms/auth/logout", token=own),
    ]

    assert [answer.status_code for answer in answers] == [503, 503, 503, 503, 200, 204]


def fails(stack, email, *options):
    """True when create_admin fails."""
    try:
        stack.make_admin(email, *options, password=NEW)
    except subprocess.CalledProcessError:
        return True
    return False


def test_an_unverified_account_with_a_future_admins_address_is_not_promoted(stack, boss):
    squatter = stack.sign_up()

    assert fails(stack, squatter["email"])
    assert fails(stack, squatter["email"], "--promote")  # the address is not verified

    assert boss("GET", f"/users-ms/users/{squatter['id']}").json()["is_admin"] is False
    assert stack.log_in(squatter["email"], NEW).status_code == 401


def test_promotion_sets_the_operators_password_and_ends_older_sessions(stack, boss):
    user = stack.verified_user()
    token = stack.token_of(user["email"])
    assert fails(stack, user["email"])

    stack.make_admin(user["email"], "--promote", password=NEW)

    assert stack.log_in(user["email"]).status_code == 401
    assert stack.call("GET", "/users-ms/users", token=stack.token_of(user["email"], NEW)).status_code == 200
    assert is_over(lambda: stack.call("GET", "/auth-ms/auth/sessions", token=token))
    eventually(lambda: stack.mails(user["email"], "Your password was changed"))
