"""Sign-up, login, and the emails about them."""

import requests

from evidence.harness.stack import PASSWORD, a_phone
from evidence.harness.waiting import eventually


def bearer(answer):
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def test_a_new_user_is_welcomed_signs_in_and_is_notified(stack):
    user = stack.verified_user(time_zone="Europe/Rome")
    [welcome] = eventually(lambda: stack.mails(user["email"], "Your email address is confirmed"))

    answer = stack.log_in(user["email"])

    assert answer.status_code == 200
    assert welcome["From"]["Address"] == "no-reply@tessera.example"
    [notice] = eventually(lambda: stack.mails(user["email"], "New sign-in"))
    text = stack.mail_text(notice)
    assert "Europe/Rome" in text
    assert f"From:   {stack.client_address}" in text.splitlines()
    assert "python-requests" in text


def test_the_token_is_accepted_by_the_other_services(stack):
    user = stack.verified_user()
    answer = stack.log_in(user["email"])

    profile = requests.get(f"{stack.users}/users-ms/users/me", headers=bearer(answer), timeout=60)

    assert profile.status_code == 200
    assert profile.json()["id"] == user["id"]
    assert PASSWORD not in profile.text

    def sent():
        url = f"{stack.notification}/notification-ms/notifications?status=sent"
        found = requests.get(url, headers=bearer(answer), timeout=60).json()["results"]
        return found if len(found) == 3 else None

    assert {(each["event"], each["medium"]) for each in eventually(sent)} == {
        ("account_changed_event", "email"),
        ("user_login_event", "email"),
        ("email_verification_requested_event", "email"),
    }


def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(stack):
    user = stack.verified_user()

    wrong = stack.log_in(user["email"], "not the password")
    unknown = stack.log_in("nobody@example.org")

    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json()["detail"] == unknown.json()["detail"]


def test_a_modified_token_is_rejected(stack):
    user = stack.verified_user()
    header, payload, signature = stack.log_in(user["email"]).json()["access_token"].split(".")
    forged = f"{header}.{payload}.{signature[:-6]}AAAAAA"

    answer = requests.get(f"{stack.users}/users-ms/users/me", headers={"Authorization": f"Bearer {forged}"}, timeout=60)

    assert answer.status_code == 401


def test_one_user_does_not_see_another(stack):
    ada, grace = stack.sign_up(), stack.sign_up(name="Grace")
    token = bearer(stack.log_in(grace["email"]))

    assert requests.get(f"{stack.users}/users-ms/users/{ada['id']}", headers=token, timeout=60).status_code == 404
    assert requests.get(f"{stack.users}/users-ms/users", headers=token, timeout=60).status_code == 403


def test_a_user_with_a_phone_gets_a_text_message_too(stack):
    number = a_phone()
    user = stack.verified_user(phone=number)
    before = len(stack.mails(f"sms{number}@tessera.example"))

    stack.log_in(user["email"])

    eventually(lambda: len(stack.mails(f"sms{number}@tessera.example")) == before + 1)
    eventually(
        lambda: len(stack.mails(user["email"], "New sign-in")) == 2
    )  # the first was for the phone's verification


def test_a_request_id_is_returned(stack):
    answer = requests.get(
        f"{stack.auth}/auth-ms/healthcheck", headers={"X-Request-ID": "one-of-the-callers"}, timeout=60
    )

    assert answer.headers["X-Request-ID"] == "one-of-the-callers"
