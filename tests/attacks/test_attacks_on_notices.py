"""Notifications cannot be used for flooding or phishing, and every security-relevant change is notified.

Issue 21, lines 7 and 9.
"""

import secrets

import pyotp
import pytest

from evidence.harness.accounts import an_address, undo_token
from evidence.harness.stack import PASSWORD, a_phone
from evidence.harness.waiting import eventually
from evidence.harness.workers import workers

EVIL = "Your parcel waits: https://evil.example/pay"
LOGINS = 15
MOST_MAILS = 5  # of one kind per recipient and hour


@pytest.fixture
def audit(stack, admin):
    """`audit(user_id=7)` returns the audit log, newest first."""

    def rows(**filters):
        query = "&".join(f"{name}={value}" for name, value in filters.items())
        answer = stack.call("GET", f"/auth-ms/auth/audit-log?limit=200&{query}", token=admin["access_token"])
        return answer.json()["results"]

    return rows


def all_settled(stack):
    """Waits until the workers have delivered all earlier events."""
    later = stack.verified_user()
    stack.log_in(later["email"])
    eventually(lambda: stack.mails(later["email"], "New sign-in"))


def test_the_owner_of_an_abused_address_gets_one_email_and_no_text_message(stack):
    stranger = stack.sign_up(phone=a_phone())
    eventually(lambda: stack.mails(stranger["email"]))

    for _ in range(LOGINS):
        assert stack.log_in(stranger["email"]).status_code == 200
    all_settled(stack)

    assert [mail["Subject"] for mail in stack.mails(stranger["email"])] == ["Confirm your email address"]
    assert stack.mails(f"sms{stranger['phone']}@tessera.example") == []


@pytest.fixture
def with_limits(stack, stopped):
    """Replaces the email worker by one with default limits and a shorter hour."""
    stopped("notification-email-worker")
    limits = {"NOTICES_OF_A_KIND": str(MOST_MAILS), "NOTICE_WINDOW_SECONDS": "20"}
    with workers(stack.directory, [{"NOTIFICATION_MEDIUM": "email"} | limits]):
        yield


def test_many_logins_send_few_emails_and_one_digest(stack, with_limits):
    user = stack.verified_user()
    token = stack.token_of(user["email"])

    for _ in range(LOGINS - 1):
        assert stack.log_in(user["email"]).status_code == 200
    eventually(lambda: stack.notified("user_login_event", token=token) == LOGINS)

    assert len(stack.mails(user["email"], "New sign-in")) == MOST_MAILS
    [digest] = eventually(lambda: stack.mails(user["email"], "More activity"))
    assert str(LOGINS - MOST_MAILS) in stack.mail_text(digest)


def test_an_unverified_phone_receives_only_a_code(stack):
    user = stack.verified_user()
    token, phone = stack.token_of(user["email"]), a_phone()
    stack.call("PATCH", f"/users-ms/users/{user['id']}", {"phone": phone}, token=token).raise_for_status()
    stack.log_in(user["email"])
    all_settled(stack)
    assert stack.mails(f"sms{phone}@tessera.example") == []

    stack.verify_phone(phone, token=token)
    assert stack.call("GET", "/users-ms/users/me", token=token).json()["phone_verified"] is True
    stack.log_in(user["email"])

    eventually(lambda: len(stack.mails(f"sms{phone}@tessera.example")) == 2)


def test_codes_for_a_phone_are_few_and_cannot_be_guessed(stack):
    user = stack.verified_user()
    token, phone = stack.token_of(user["email"]), a_phone()
    stack.call("PATCH", f"/users-ms/users/{user['id']}", {"phone": phone}, token=token).raise_for_status()

    asked = [stack.call("POST", "/auth-ms/auth/phone/verification", token=token).status_code for _ in range(6)]
    code = stack.code_sent_to(phone)
    wrong = str((int(code) + 1) % 10**6).zfill(6)
    guessed = [
        stack.call("POST", "/auth-ms/auth/phone/verify", {"code": wrong}, token=token).status_code for _ in range(6)
    ]
    late = stack.call("POST", "/auth-ms/auth/phone/verify", {"code": code}, token=token)

    assert asked == [202] * 3 + [429] * 3
    assert set(guessed) <= {400, 429}
    assert late.status_code in (400, 429)
    assert stack.call("GET", "/users-ms/users/me", token=token).json()["phone_verified"] is False


def test_an_unverified_user_cannot_send_codes_to_another_phone(stack):
    user = stack.sign_up(phone=a_phone())

    answer = stack.call("POST", "/auth-ms/auth/phone/verification", token=stack.token_of(user["email"]))

    assert answer.status_code == 403
    assert answer.json()["title"] == "Email not verified"


def test_an_email_to_a_stranger_contains_no_attacker_text(stack):
    stranger = stack.sign_up(name=EVIL, surname="evil.example/pay")
    stack.call("POST", "/auth-ms/auth/password/forgot", {"email": stranger["email"]})
    eventually(lambda: len(stack.mails(stranger["email"])) >= 2)

    for mail in stack.mails(stranger["email"]):
        assert "evil" not in mail["Subject"]
        assert "evil" not in stack.mail_text(mail)


def test_a_name_appears_in_no_subject_and_becomes_no_link(stack):
    user = stack.verified_user(name=EVIL)
    headers = {"User-Agent": "https://evil.example/agent evil.example"}
    body = {"username": user["email"], "password": PASSWORD}
    stack.call("POST", "/auth-ms/auth/login", body, headers=headers).raise_for_status()
    mail = eventually(lambda: stack.mails(user["email"], "New sign-in"))[0]

    for each in stack.mails(user["email"]):
        assert "evil" not in each["Subject"]
        assert "https://evil" not in stack.mail_text(each)
        assert "evil.example" not in stack.mail_text(each)
    assert "evil[.]example" in stack.mail_text(mail)


def subjects(stack, email):
    return [mail["Subject"] for mail in stack.mails(email)]


def next_email(stack, email, before):
    """Waits for a new email; returns its subject and text."""
    mails = eventually(lambda: len(found := stack.mails(email)) > before and found)
    return f"{mails[0]['Subject']}\n{stack.mail_text(mails[0])}"


def changes_of(audit, user, actor=None):
    """A user's events in the audit log, by actor."""
    return {row["event"] for row in audit(user_id=user["id"]) if row["actor_id"] == actor}


def test_every_change_of_sign_in_methods_is_notified_and_audited(stack, audit):
    user, new = stack.verified_user(), an_address("new")
    token = stack.token_of(user["email"])
    eventually(lambda: stack.mails(user["email"], "New sign-in"))

    before = len(stack.mails(user["email"]))
    secret = stack.call("POST", "/auth-ms/auth/mfa/totp", token=token).json()["secret"]
    body = {"code": pyotp.TOTP(secret).now()}
    stack.call("POST", "/auth-ms/auth/mfa/totp/confirm", body, token=token).raise_for_status()
    next_email(stack, user["email"], before)
    before = len(stack.mails(user["email"]))
    stack.call("DELETE", "/auth-ms/auth/mfa/totp", token=token).raise_for_status()
    next_email(stack, user["email"], before)
    stack.call("PATCH", f"/users-ms/users/{user['id']}", {"email": new}, token=token).raise_for_status()
    undo_token(stack, user["email"])
    before = len(stack.mails(user["email"]))
    stack.verify(new)
    next_email(stack, user["email"], before)  # the old address is notified of the change, too
    body = {"current_password": "not the password", "new_password": "a longer staple of horses"}
    assert stack.call("POST", "/auth-ms/auth/password/change", body, token=stack.token_of(new)).status_code == 400

    def complete():
        found = {(row["event"], row["outcome"]) for row in audit(user_id=user["id"])}
        wanted = {
            ("totp_enabled", "success"),
            ("totp_disabled", "success"),
            ("email_change_requested", "success"),
            ("email_changed", "success"),
            ("password_change", "failure"),
        }
        return wanted <= found

    eventually(complete)


def test_an_admins_change_is_notified_and_audited_with_the_actor(stack, admin, audit):
    user = stack.verified_user()
    acting = stack.call("GET", "/users-ms/users/me", token=admin["access_token"]).json()["id"]
    path = f"/users-ms/users/{user['id']}"
    eventually(lambda: len(stack.mails(user["email"])) >= 2)  # the verification and the welcome

    for change in ({"is_admin": True}, {"is_admin": False}, {"is_active": False}, {"is_active": True}):
        before = len(stack.mails(user["email"]))
        stack.call("PATCH", path, change, token=admin["access_token"]).raise_for_status()
        next_email(stack, user["email"], before)

    wanted = {"rights_changed", "deactivated", "activated"}
    eventually(lambda: wanted <= changes_of(audit, user, actor=acting))


@pytest.mark.parametrize("by", ["itself", "an admin"])
def test_a_deletion_is_notified_and_audited_with_its_actor(stack, admin, audit, by):
    user = stack.verified_user()
    acting = stack.call("GET", "/users-ms/users/me", token=admin["access_token"]).json()["id"]
    token = admin["access_token"] if by == "an admin" else stack.token_of(user["email"])
    eventually(lambda: len(stack.mails(user["email"])) >= 2)
    before = len(stack.mails(user["email"]))

    assert stack.call("DELETE", f"/users-ms/users/{user['id']}", token=token).status_code == 204

    assert "deleted" in eventually(
        lambda: next((s for s in subjects(stack, user["email"])[: -before or None] if "deleted" in s), "")
    )
    [row] = eventually(lambda: audit(user_id=user["id"], event="user_deleted"))
    assert row["actor_id"] == (acting if by == "an admin" else None)  # None means the user itself
    assert row["address"] == stack.client_address


def test_users_see_only_their_own_security_events(stack):
    user, other = stack.verified_user(), stack.verified_user()
    stack.log_in(user["email"], "not the password")
    token = stack.token_of(user["email"])
    stack.token_of(other["email"])

    rows = stack.call("GET", "/auth-ms/auth/activity?limit=100", token=token).json()["results"]

    assert {("login", "failure"), ("login", "success")} <= {(row["event"], row["outcome"]) for row in rows}
    assert {row.get("user_id", user["id"]) for row in rows} == {user["id"]}


def test_failures_of_a_second_factor_are_notified(stack):
    user = stack.verified_user()
    token = stack.token_of(user["email"])
    secret = stack.call("POST", "/auth-ms/auth/mfa/totp", token=token).json()["secret"]
    app = pyotp.TOTP(secret)
    stack.call("POST", "/auth-ms/auth/mfa/totp/confirm", {"code": app.now()}, token=token).raise_for_status()
    eventually(lambda: len(stack.mails(user["email"])) >= 4)
    before = len(stack.mails(user["email"]))

    tries = 0
    while tries < 5:
        pending = stack.log_in(user["email"]).json()
        for _ in range(3):
            code = str((int(app.now()) + 1 + secrets.randbelow(10**5)) % 10**6).zfill(6)
            body = {"mfa_token": pending["mfa_token"], "method": "totp", "code": code}
            tries += stack.call("POST", "/auth-ms/auth/login/mfa", body).status_code in (401, 429)

    next_email(stack, user["email"], before)
