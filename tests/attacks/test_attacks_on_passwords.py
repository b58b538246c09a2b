"""A password change whose answer is lost is atomic: complete or absent. Issue 21, line 11."""

import os
import threading
from contextlib import closing, contextmanager

import psycopg2
import pytest

from evidence.harness.accounts import reset_token
from evidence.harness.stack import PASSWORD
from evidence.harness.waiting import eventually

NEW = "a longer staple of horses"
SLOW_SECONDS = 4.0  # auth-ms waits two seconds for users-ms


@contextmanager
def slow_to_write(user):
    """Until the block ends, users-ms needs longer to update this user than auth-ms waits."""
    with closing(psycopg2.connect(os.environ["USERS_DATABASE_URL"])) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM accounts_user WHERE id = %s FOR UPDATE", [user["id"]])
        end = threading.Timer(SLOW_SECONDS, connection.rollback)
        end.start()
        yield
        end.join()


def change(stack, token, new=NEW):
    """The answer to one request, whatever it is."""
    body = {"current_password": PASSWORD, "new_password": new}
    return stack.call_once("POST", "/auth-ms/auth/password/change", body, token=token)


@pytest.fixture
def user(stack):
    return stack.verified_user()


def assert_password_changed(stack, user, old_token):
    """The new password signs in, the old one does not, older sessions have ended, and the user was notified once."""
    eventually(lambda: stack.log_in(user["email"], NEW).status_code == 200)
    assert stack.log_in(user["email"]).status_code == 401
    eventually(lambda: stack.call("GET", "/auth-ms/auth/sessions", token=old_token).status_code == 401)
    eventually(lambda: stack.mails(user["email"], "Your password was changed"))


def test_a_reset_with_a_lost_answer_ends_old_sessions_and_is_notified(stack, user):
    old, token = stack.token_of(user["email"]), reset_token(stack, user["email"])
    with slow_to_write(user):
        answer = stack.call_once("POST", "/auth-ms/auth/password/reset", {"token": token, "new_password": NEW})
    assert answer.status_code == 503

    assert_password_changed(stack, user, old)


def test_a_reset_with_a_lost_answer_can_be_repeated(stack, user):
    old, token = stack.token_of(user["email"]), reset_token(stack, user["email"])
    body = {"token": token, "new_password": NEW}
    with slow_to_write(user):
        assert stack.call_once("POST", "/auth-ms/auth/password/reset", body).status_code == 503

    again = stack.call("POST", "/auth-ms/auth/password/reset", body)

    assert again.status_code == 204, again.text
    assert_password_changed(stack, user, old)
    assert len(stack.mails(user["email"], "Your password was changed")) == 1


def test_a_change_with_a_lost_answer_can_be_repeated(stack, user):
    here, elsewhere = stack.token_of(user["email"]), stack.token_of(user["email"])
    with slow_to_write(user):
        assert change(stack, here).status_code == 503

    again = stack.decided(lambda: change(stack, here))

    assert again.status_code == 204, again.text
    assert_password_changed(stack, user, elsewhere)
    assert stack.call("GET", "/auth-ms/auth/sessions", token=here).status_code == 200
    assert len(stack.mails(user["email"], "Your password was changed")) == 1


def test_a_change_with_a_lost_answer_still_requires_the_current_password(stack, user):
    here = stack.token_of(user["email"])
    with slow_to_write(user):
        assert change(stack, here).status_code == 503

    wrong = {"current_password": "not the password", "new_password": "another staple of horses"}
    answer = stack.call("POST", "/auth-ms/auth/password/change", wrong, token=here)

    assert answer.status_code == 400
    assert stack.log_in(user["email"], "another staple of horses").status_code == 401
