"""Attacks on the sign-in by email: guesses, stolen and replayed codes, accounts of others, and who has an account."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from auth.tests.actions import account_changed, add, event, forgot, reset, signed_in
from auth.tests.authenticator import Authenticator
from auth.tests.builders import PASSWORD, as_json, login, mailed_token, recorded
from auth.tests.email_codes import REQUESTED, a_wrong_code, ask, enter, sent_code, signs_in, token_for
from auth.tests.external_provider import linked
from auth_ms.accounts import tasks
from auth_ms.models import EmailCode, ExternalIdentity, Passkey, Session
from auth_ms.sign_in.services import email_codes

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def on(settings):
    settings.EMAIL_SIGN_IN = "sign_in"


def test_an_unknown_address_gets_the_same_answers(client, ada, users_service):
    users_service.add(id=8, email="gone@example.org", is_active=False)
    answers = {}
    for email in ("ada@example.org", "nobody@example.org", "gone@example.org"):
        begun = ask(client, email)
        guesses = [enter(client, begun.json()["login_token"], "00000000") for _ in range(7)]
        shown = [(each.status_code, each.json()["title"], each.json()["detail"]) for each in guesses]
        answers[email] = (begun.status_code, set(begun.json()), len(begun.json()["login_token"]), shown)

    assert answers["ada@example.org"] == answers["nobody@example.org"] == answers["gone@example.org"]
    assert len(recorded(REQUESTED)) == 1


def test_headers_tell_neither_whether_an_address_has_an_account_nor_of_its_mails(client, ada, settings):
    """Only the limit of the caller's network is shown, not those of mails to an address."""
    settings.EMAIL_SIGN_INS_PER_HOUR = 60
    known = [ask(client, REMOTE_ADDR="192.0.2.1") for _ in range(7)]  # 3 mails an hour for a network
    unknown = [ask(client, "nobody@example.org", REMOTE_ADDR="192.0.2.2") for _ in range(7)]

    left = [[answer["RateLimit"].partition(";t=")[0] for answer in each] for each in (known, unknown)]
    assert left[0] == left[1]
    assert {answer["RateLimit-Policy"] for answer in known + unknown} == {'"email_sign_in";q=60;w=3600'}
    assert sorted(known[0].headers) == sorted(unknown[0].headers)


@pytest.mark.parametrize("is_active", [True, False])
def test_an_unknown_address_takes_the_same_statements(client, ada, is_active):
    """The time of an answer must not tell who has an account; statements are most of it, and can be compared."""
    ada["is_active"] = is_active
    statements = {}
    for email in ("ada@example.org", "nobody@example.org"):
        with CaptureQueriesContext(connection) as captured:
            token = token_for(client, email)
            enter(client, token, "00000000")
        statements[email] = [" ".join(each["sql"].split()[:3]) for each in captured if "SAVEPOINT" not in each["sql"]]

    assert statements["ada@example.org"] == statements["nobody@example.org"]
    assert len(recorded(REQUESTED)) == EmailCode.objects.count() == int(is_active)


def test_a_code_allows_five_attempts(client, ada, settings):
    settings.LOGIN_FAILURES_OF_AN_ACCOUNT = 1000  # so that only the attempts count
    token = token_for(client)
    for _ in range(5):
        assert enter(client, token, a_wrong_code()).status_code == 401

    assert enter(client, token, sent_code()).status_code == 401
    assert not Session.objects.exists()


def test_an_attempt_counts_before_the_code_is_compared(client, ada, monkeypatch):
    """Otherwise parallel requests would get more attempts."""
    counted = []
    compare = email_codes.constant_time_compare

    def watched(*both):
        counted.append(EmailCode.objects.get().attempts)
        return compare(*both)

    monkeypatch.setattr(email_codes, "constant_time_compare", watched)
    token = token_for(client)
    enter(client, token, a_wrong_code())
    enter(client, token, sent_code())

    assert counted == [1, 2]


def test_further_wrong_codes_lock_the_asker_alone(client, ada):
    token, other = token_for(client), token_for(client)
    answers = [enter(client, token, a_wrong_code()).status_code for _ in range(6)]

    assert answers == [401] * 5 + [429]
    assert enter(client, other, sent_code(-1)).status_code == 200


def test_guessing_codes_does_not_lock_the_password_nor_the_other_way_around(client, ada):
    token = token_for(client)
    for _ in range(6):
        enter(client, token, a_wrong_code())
    assert client.post("/auth-ms/auth/login", **login()).status_code == 200

    for _ in range(6):
        locked = client.post("/auth-ms/auth/login", **login(password="wrong"))
    assert locked.status_code == 429
    assert signs_in(client).status_code == 200


def test_whoever_guesses_at_many_accounts_is_locked(client, ada, settings):
    settings.LOGIN_FAILURES_OF_AN_ADDRESS = 3

    answers = [enter(client, f"a-token-{number}", "00000000").status_code for number in range(5)]

    assert answers == [401, 401, 401, 429, 429]


def test_a_code_works_once(client, ada):
    token, code = token_for(client), sent_code()

    assert [enter(client, token, code).status_code for _ in range(2)] == [200, 401]
    assert Session.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_parallel_requests_one_uses_the_code(ada, monkeypatch):
    token, code = token_for(Client()), sent_code()
    together = threading.Barrier(2, timeout=60)
    owner_of = email_codes._owner_of

    def slow(sent):
        user = owner_of(sent)
        together.wait()  # both have been compared, and neither has used it
        return user

    monkeypatch.setattr(email_codes, "_owner_of", slow)
    answers = []

    def send():
        answers.append(enter(Client(), token, code).status_code)
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [200, 401]
    assert Session.objects.count() == 1


def test_a_code_expires(client, ada):
    token, code = token_for(client), sent_code()
    EmailCode.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert enter(client, token, code).status_code == 401


def test_a_code_is_valid_for_ten_minutes(client, ada):
    before = timezone.now()
    ask(client)

    left = EmailCode.objects.get().expires_at - before
    assert timedelta(minutes=10) <= left < timedelta(minutes=11)


def test_a_stolen_code_signs_nobody_in_but_whoever_asked_for_it(client, ada):
    """It was read over a shoulder, or in a preview of the mail; the thief asks for a code of its own to have a page."""
    mine = token_for(client)
    stolen = sent_code()
    thief = Client(REMOTE_ADDR="192.0.2.66")
    of_thief = token_for(thief)

    for token in (of_thief, "x", stolen):
        assert enter(thief, token, stolen).status_code == 401
    assert enter(client, mine, stolen).status_code == 200


def test_a_code_for_one_account_does_not_open_another(client, ada, users_service):
    users_service.add(id=8, email="eve@example.org")
    of_ada = token_for(client)
    token_for(client, "eve@example.org")
    of_eve = sent_code()

    assert enter(client, of_ada, of_eve).status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        {"email": "ada@example.net"},
        {"password_version": 2},
        {"is_active": False},
        {"id": 70},
    ],
)
def test_a_code_is_bound_to_the_account_as_it_was(client, ada, change):
    token, code = token_for(client), sent_code()
    ada.update(change)

    assert enter(client, token, code).status_code == 401
    assert not Session.objects.exists()


def _reset_the_password(owner):
    forgot(owner)
    assert reset(Client(), mailed_token()).status_code == 204


@pytest.mark.parametrize(
    "end",
    [
        _reset_the_password,
        lambda owner: owner.post(
            "/auth-ms/auth/password/change",
            **as_json({"current_password": PASSWORD, "new_password": "a longer staple of horses"}),
        ),
        lambda _: tasks.apply_account_change(event=account_changed("deactivated")),
        lambda _: tasks.apply_account_change(event=account_changed("email_change_undone")),
        lambda _: tasks.apply_account_change(event=account_changed("email_verified", first_proof=True)),
        lambda _: tasks.apply_password_change(
            event=event("password_changed_event", user_id=7, changed_at=timezone.now().isoformat())
        ),
    ],
    ids=["reset", "change", "deactivated", "undone", "first proof", "password event"],
)
def test_what_ends_access_ends_codes_too(ada, later, end):
    owner = signed_in(ada)
    ask(Client())

    end(owner)

    assert not EmailCode.objects.exists()


def test_a_late_event_spares_codes_of_afterwards(ada, later):
    ask(Client())
    at = (timezone.now() - timedelta(minutes=1)).isoformat()

    tasks.apply_password_change(event=event("password_changed_event", user_id=7, changed_at=at))

    assert EmailCode.objects.exists()


def test_whoever_signed_up_with_the_address_of_somebody_else_has_nothing_left(client, ada, provider):
    """The owner signs in by email: password, sessions, passkeys, identities and codes of the attacker have ended."""
    attacker = signed_in(ada)
    assert add(attacker, Authenticator()).status_code == 201
    linked(provider)
    ada["email_verified"] = False
    of_attacker, code_of_attacker = token_for(client), sent_code()

    owner = signs_in(Client())

    assert owner.status_code == 200 and "access_token" in owner.json()  # no second factor of the attacker
    assert attacker.get("/auth-ms/auth/sessions").status_code == 401
    assert client.post("/auth-ms/auth/login", **login()).status_code == 401
    assert not Passkey.objects.exists() and not ExternalIdentity.objects.exists()
    assert enter(client, of_attacker, code_of_attacker).status_code == 401
    assert Session.objects.filter(revoked_at=None).count() == 1


def test_a_verified_users_password_and_sessions_go_on(client, ada):
    other = signed_in(ada)

    assert signs_in(client).status_code == 200

    assert other.get("/auth-ms/auth/sessions").status_code == 200
    assert client.post("/auth-ms/auth/login", **login()).status_code == 200


def test_a_stranger_leaves_mails_to_the_owner(client, ada):
    for _ in range(9):
        ask(Client(REMOTE_ADDR="192.0.2.66"))

    assert signs_in(client).status_code == 200


def test_an_inactive_user_gets_no_mail(client, ada):
    ada["is_active"] = False

    assert ask(client).status_code == 202
    assert not recorded(REQUESTED)
