"""A change of a password whose answer was lost is done or not done, never half. Issue 21, line 11."""

import os
import threading
from contextlib import closing, contextmanager

import psycopg2
import pytest

from evidence.harness.accounts import reset_token
from evidence.harness.stack import PASSWORD
from evidence.harness.waiting import eventually

NEW = "a longer staple of horses"
SLOW_SECONDS = 4.0  # auth-ms waits two for users-ms


@contextmanager
def slow_to_write(user):
    """users-ms takes longer to write this user than auth-ms waits for it, until the block ends."""
    with closing(psycopg2.connect(os.environ["USERS_DATABASE_URL"])) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM accounts_user WHERE id = %s FOR UPDATE", [user["id"]])
        end = threading.Timer(SLOW_SECONDS, connection.rollback)
        end.start()
        yield
        end.join()


def change(stack, token, new=NEW):
    body = {"current_password": PASSWORD, "new_password": new}
    return stack.call("POST", "/auth-ms/auth/password/change", body, token=token)


@pytest.fixture
def user(stack):
    return stack.verified_user()


def the_new_password_holds(stack, user, old_token):
    """It signs in, the old one does not, older sessions are over, and the user was told once."""
    eventually(lambda: stack.log_in(user["email"], NEW).status_code == 200)
    assert stack.log_in(user["email"]).status_code == 401
    eventually(lambda: stack.call("GET", "/auth-ms/auth/sessions", token=old_token).status_code == 401)
    eventually(lambda: stack.mails(user["email"], "Your password was changed"))


def test_a_reset_without_an_answer_ends_old_sessions_and_is_notified(stack, user):
    old, token = stack.token_of(user["email"]), reset_token(stack, user["email"])
    with slow_to_write(user):
        answer = stack.call("POST", "/auth-ms/auth/password/reset", {"token": token, "new_password": NEW})
    assert answer.status_code == 503

    the_new_password_holds(stack, user, old)


def test_a_reset_without_an_answer_can_be_repeated(stack, user):
    old, token = stack.token_of(user["email"]), reset_token(stack, user["email"])
    body = {"token": token, "new_password": NEW}
    with slow_to_write(user):
        assert stack.call("POST", "/auth-ms/auth/password/reset", body).status_code == 503

    again = stack.call("POST", "/auth-ms/auth/password/reset", body)

    assert again.status_code == 204, again.text
    the_new_password_holds(stack, user, old)
    assert len(stack.mails(user["email"], "Your password was changed")) == 1


def test_a_change_without_an_answer_can_be_repeated_in_the_same_words(stack, user):
    here, elsewhere = stack.token_of(user["email"]), stack.token_of(user["email"])
    with slow_to_write(user):
        assert change(stack, here).status_code == 503

    again = change(stack, here)

    assert again.status_code == 204, again.text
    the_new_password_holds(stack, user, elsewhere)
    assert stack.call("GET", "/auth-ms/auth/sessions", token=here).status_code == 200
    assert len(stack.mails(user["email"], "Your password was changed")) == 1


def test_a_change_without_an_answer_is_no_way_round_the_current_password(stack, user):
    here = stack.token_of(user["email"])
    with slow_to_write(user):
        assert change(stack, here).status_code == 503

    wrong = {"current_password": "not the password", "new_password": "another staple of horses"}
    answer = stack.call("POST", "/auth-ms/auth/password/change", wrong, token=here)

    assert answer.status_code == 400
    assert stack.log_in(user["email"], "another staple of horses").status_code == 401
