"""The life of an account from sign-up to deletion, over HTTP and SMTP, through every service."""

import jwt
import pyotp
import pytest
import requests

from evidence.harness.stack import PASSWORD
from evidence.harness.waiting import eventually

NEW = "a longer staple of horses"


def bearer(tokens):
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def kid_of(tokens):
    return jwt.get_unverified_header(tokens["access_token"])["kid"]


def mailed_token(stack, email, subject):
    """The token in the newest email with that subject."""
    mail = eventually(lambda: stack.mails(email, subject))[0]
    return stack.mailed_token(mail)


@pytest.fixture
def auth(stack):
    """`auth("POST", "refresh", body, tokens)` calls auth-ms."""

    def call(method, path, body=None, tokens=None):
        headers = bearer(tokens) if tokens else {}
        return requests.request(method, f"{stack.auth}/auth-ms/auth/{path}", json=body, headers=headers, timeout=60)

    return call


def test_a_new_user_verifies_the_address_with_the_email_sent_at_sign_up(stack, auth):
    user = stack.sign_up()
    before = stack.log_in(user["email"]).json()
    token = mailed_token(stack, user["email"], "Confirm your email address")

    assert auth("POST", "email/verify", {"token": token}).ok

    assert auth("GET", "sessions", tokens=before).status_code == 401  # sessions from before the verification have ended
    tokens = stack.log_in(user["email"]).json()
    profile = requests.get(f"{stack.users}/users-ms/users/me", headers=bearer(tokens), timeout=60)
    assert profile.json()["email_verified"] is True


def test_a_password_reset_by_email_ends_all_sessions(stack, auth):
    user = stack.verified_user()
    before = stack.log_in(user["email"]).json()
    assert auth("POST", "password/forgot", {"email": user["email"].upper()}).status_code == 202

    token = mailed_token(stack, user["email"], "Set a new password")
    weak = auth("POST", "password/reset", {"token": token, "new_password": "password"})
    done = auth("POST", "password/reset", {"token": token, "new_password": NEW})

    assert (weak.status_code, done.status_code) == (400, 204)
    assert list(weak.json()["errors"]) == ["new_password"]
    assert stack.log_in(user["email"]).status_code == 401
    assert stack.log_in(user["email"], NEW).status_code == 200
    assert auth("POST", "refresh", {"refresh_token": before["refresh_token"]}).status_code == 401
    assert auth("GET", "sessions", tokens=before).status_code == 401
    eventually(lambda: stack.mails(user["email"], "Your password was changed"))


def test_a_changed_password_takes_effect_at_once(stack, auth):
    user = stack.verified_user()
    here, elsewhere = stack.log_in(user["email"]).json(), stack.log_in(user["email"]).json()

    changed = auth("POST", "password/change", {"current_password": PASSWORD, "new_password": NEW}, here)

    assert changed.status_code == 204
    assert stack.log_in(user["email"]).status_code == 401
    assert auth("GET", "sessions", tokens=here).status_code == 200
    assert auth("GET", "sessions", tokens=elsewhere).status_code == 401


def test_a_deleted_user_is_signed_out_and_erased_in_all_services(stack, auth, admin):
    user = stack.verified_user()
    tokens = stack.log_in(user["email"]).json()
    eventually(lambda: stack.mails(user["email"], "New sign-in"))

    url = f"{stack.users}/users-ms/users/{user['id']}"
    assert requests.delete(url, headers=bearer(tokens), timeout=60).status_code == 204

    eventually(lambda: auth("GET", "sessions", tokens=tokens).status_code == 401)
    assert auth("POST", "refresh", {"refresh_token": tokens["refresh_token"]}).status_code == 401
    assert auth("POST", "introspect", {"token": tokens["access_token"]}, admin).json() == {"active": False}

    def recipients():
        list_url = f"{stack.notification}/notification-ms/notifications?user_id={user['id']}"
        rows = requests.get(list_url, headers=bearer(admin), timeout=60).json()["results"]
        return {row["recipient"] for row in rows}

    eventually(lambda: recipients() == {""})


def test_granted_rights_are_in_the_next_token(stack, auth, admin):
    user = stack.verified_user()
    tokens = stack.log_in(user["email"]).json()
    url = f"{stack.users}/users-ms/users/{user['id']}"

    given = requests.patch(url, json={"scopes": ["orders:read"]}, headers=bearer(admin), timeout=60)
    assert given.status_code == 200
    refreshed = auth("POST", "refresh", {"refresh_token": tokens["refresh_token"]}).json()

    assert auth("POST", "introspect", {"token": refreshed["access_token"]}, admin).json()["scope"] == "orders:read"


def test_a_deactivated_user_cannot_refresh(stack, auth, admin):
    user = stack.verified_user()
    tokens = stack.log_in(user["email"]).json()
    url = f"{stack.users}/users-ms/users/{user['id']}"
    requests.patch(url, json={"is_active": False}, headers=bearer(admin), timeout=60).raise_for_status()

    assert auth("POST", "refresh", {"refresh_token": tokens["refresh_token"]}).status_code == 401
    assert stack.log_in(user["email"]).status_code == 401


def test_login_requires_an_enrolled_second_factor(stack, auth):
    user = stack.verified_user()
    tokens = stack.log_in(user["email"]).json()
    app = pyotp.TOTP(auth("POST", "mfa/totp", tokens=tokens).json()["secret"])
    codes = auth("POST", "mfa/totp/confirm", {"code": app.now()}, tokens).json()["recovery_codes"]

    pending = stack.log_in(user["email"]).json()
    body = {"mfa_token": pending["mfa_token"], "method": "recovery_code", "code": codes[0]}
    completed = auth("POST", "login/mfa", body)

    assert pending["mfa_required"] is True
    assert completed.status_code == 200
    assert auth("GET", "mfa", tokens=completed.json()).json()["recovery_codes"] == 9


def test_keys_rotate_while_the_stack_runs(stack, auth):
    user = stack.verified_user()
    before = stack.log_in(user["email"]).json()

    stack.manage("auth", "rotate_signing_key", "--compromised")

    assert auth("GET", "sessions", tokens=before).status_code == 401
    # users-ms fetches unknown keys at most every two seconds.
    after = eventually(lambda: answer.json() if (answer := stack.log_in(user["email"])).ok else None)
    assert kid_of(after) != kid_of(before)
    assert auth("GET", "sessions", tokens=after).status_code == 200
    assert auth("POST", "refresh", {"refresh_token": before["refresh_token"]}).status_code == 200
    assert after["access_token"] != before["access_token"]
    stack.manage("auth", "rotate_signing_key")
    profile = requests.get(f"{stack.users}/users-ms/users/me", headers=bearer(after), timeout=60)
    assert profile.status_code == 200
    published = requests.get(f"{stack.auth}/auth-ms/.well-known/jwks.json", timeout=60)
    assert published.status_code == 200


def test_the_gateway_forwards_the_clients_address_which_cannot_be_forged(stack, auth):
    user = stack.verified_user()
    url = f"{stack.gateway}/auth-ms/auth/login"
    body = {"username": user["email"], "password": PASSWORD}
    tokens = requests.post(url, json=body, headers={"X-Forwarded-For": "203.0.113.7"}, timeout=60).json()

    [session] = auth("GET", "sessions", tokens=tokens).json()["results"]

    assert session["address"] == stack.client_address
