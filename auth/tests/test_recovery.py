"""Password changes and resets. Tokens are read from the outbox and decrypted as for the mail."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from auth.tests.actions import NEW, forgot, reset
from auth.tests.builders import PASSWORD, as_json, bearer, login, mailed_token, recorded
from auth_ms.models import TOTP, AuditEvent, OneTimeToken, Passkey, PasswordChange, RecoveryCode, Session
from auth_ms.recovery.services import password_changes
from chassis.outbox.models import OutboxMessage

pytestmark = pytest.mark.django_db


def change(client, pair, current=PASSWORD, new=NEW):
    body = as_json({"current_password": current, "new_password": new})
    return client.post("/auth-ms/auth/password/change", headers=bearer(pair), **body)


def test_a_forgotten_password_is_reset_with_the_token_from_the_mail(client, sign_in):
    pair = sign_in()
    assert forgot(client).status_code == 202

    assert reset(client, mailed_token()).status_code == 204

    assert client.post("/auth-ms/auth/login", **login()).status_code == 401
    assert client.post("/auth-ms/auth/login", **login(password=NEW)).status_code == 200
    assert client.get("/auth-ms/auth/sessions", headers=bearer(pair)).status_code == 401
    assert not recorded("password_changed_event")  # users-ms publishes it


def test_the_answer_is_the_same_for_an_unknown_address(client, ada):
    known, unknown = forgot(client), forgot(client, "nobody@example.org")

    assert known.status_code == unknown.status_code == 202
    assert known.content == unknown.content
    assert len(recorded("password_reset_requested_event")) == 1


def test_headers_tell_neither_whether_an_address_has_an_account_nor_of_its_mails(client, ada, settings):
    """Only the limit of the caller's network is shown, not that of mails to an address."""
    settings.RECOVERY_REQUESTS_PER_HOUR = 60
    known = [forgot(client, REMOTE_ADDR="192.0.2.1") for _ in range(7)]  # 5 mails an hour
    unknown = [forgot(client, "nobody@example.org", REMOTE_ADDR="192.0.2.2") for _ in range(7)]

    left = [[answer["RateLimit"].partition(";t=")[0] for answer in each] for each in (known, unknown)]
    assert left[0] == left[1]
    assert {answer["RateLimit-Policy"] for answer in known + unknown} == {'"recovery";q=60;w=3600'}
    assert sorted(known[0].headers) == sorted(unknown[0].headers)


def test_an_unknown_address_takes_the_same_statements(client, ada):
    """The time of an answer must not tell who has an account; statements are most of it, and can be compared."""
    statements = {}
    for email in ("ada@example.org", "nobody@example.org"):
        with CaptureQueriesContext(connection) as captured:
            forgot(client, email)
        statements[email] = [" ".join(each["sql"].split()[:3]) for each in captured if "SAVEPOINT" not in each["sql"]]

    assert statements["ada@example.org"] == statements["nobody@example.org"]
    assert len(OneTimeToken.objects.all()) == len(recorded("password_reset_requested_event")) == 1


def test_the_token_is_stored_as_a_hash_and_published_encrypted(client, ada):
    forgot(client)

    token = mailed_token()
    assert token not in repr(list(OneTimeToken.objects.values()))
    assert token not in repr(list(OutboxMessage.objects.values()))


def test_a_token_works_once(client, ada):
    forgot(client)
    token = mailed_token()
    assert reset(client, token).status_code == 204

    assert reset(client, token, "yet another password").status_code == 400
    assert client.post("/auth-ms/auth/login", **login(password=NEW)).status_code == 200


def test_a_reset_invalidates_the_other_tokens(client, ada):
    forgot(client)
    first = mailed_token()
    forgot(client)

    assert reset(client, mailed_token()).status_code == 204
    assert reset(client, first, "yet another password").status_code == 400


def test_a_token_expires(client, ada, settings):
    forgot(client)
    OneTimeToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert reset(client, mailed_token()).status_code == 400


def test_a_rejected_password_does_not_use_the_token_up(client, ada):
    forgot(client)
    token = mailed_token()

    rejected = reset(client, token, "short")

    assert rejected.status_code == 400
    assert rejected.json()["errors"] == {"new_password": ["Too short."]}
    assert rejected.json()["error_codes"] == {"new_password": ["min_length"]}
    assert reset(client, token).status_code == 204


def test_a_token_is_not_used_up_while_users_ms_is_down(client, ada, users_service):
    forgot(client)
    token = mailed_token()
    users_service.status = 500
    assert reset(client, token).status_code == 503
    users_service.status = 200

    assert reset(client, token).status_code == 204


def test_a_token_is_valid_for_its_purpose_only(client, ada):
    ada["email_verified"] = False
    forgot(client)

    assert client.post("/auth-ms/auth/email/verify", **as_json({"token": mailed_token()})).status_code == 400


def test_mails_to_an_address_are_limited_without_telling_the_caller(client, ada):
    answers = {forgot(client, REMOTE_ADDR=f"192.0.2.{number}").status_code for number in range(8)}

    assert answers == {202}
    assert len(recorded("password_reset_requested_event")) == 5


def test_requests_of_a_client_are_limited(client, ada, settings):
    settings.RECOVERY_REQUESTS_PER_HOUR = 2

    answers = [forgot(client, f"user{number}@example.org") for number in range(3)]

    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert answers[2].headers["Retry-After"]


def test_a_change_keeps_this_session_and_ends_the_others(client, sign_in, users_service):
    other, here = sign_in(), sign_in()

    assert change(client, here).status_code == 204

    assert client.get("/auth-ms/auth/sessions", headers=bearer(here)).status_code == 200
    assert client.get("/auth-ms/auth/sessions", headers=bearer(other)).status_code == 401
    assert client.post("/auth-ms/auth/login", **login(password=NEW)).status_code == 200
    here_id = Session.objects.order_by("id")[1].id
    [given] = users_service.given
    assert uuid.UUID(given.pop("change_id"))
    assert given == {
        "password": NEW,
        "reason": "change",
        "address": "127.0.0.1",
        "user_agent": "",
        "replaces_version": 1,
        "kept_session_id": here_id,
    }
    assert not PasswordChange.objects.exists()


def test_a_change_requires_the_current_password(client, sign_in, ada):
    pair, before = sign_in(), ada["password_hash"]

    answer = change(client, pair, current="not it")

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["current_password"]
    assert ada["password_hash"] == before


def test_guessing_the_current_password_with_a_stolen_token_is_locked(client, sign_in, settings):
    settings.LOGIN_FAILURES_OF_AN_ACCOUNT = 3
    pair = sign_in()

    answers = [change(client, pair, current="not it").status_code for _ in range(5)]

    assert answers == [400, 400, 400, 429, 429]


def test_a_password_that_the_policy_rejects_is_named(client, sign_in):
    answer = change(client, sign_in(), new="short")

    assert answer.json()["errors"] == {"new_password": ["Too short."]}


def test_a_change_whose_answer_was_lost_succeeds_when_repeated(client, sign_in, ada, users_service):
    pair = sign_in()
    users_service.loses_answers = True
    assert change(client, pair).status_code == 503
    users_service.loses_answers = False
    changed = ada["password_change_id"]

    assert change(client, pair).status_code == 204  # with the password that was current then
    assert ada["password_change_id"] == changed  # so users-ms publishes it once
    assert not PasswordChange.objects.exists()
    assert AuditEvent.objects.get(event="password_change").outcome == "success"
    assert change(client, pair).status_code == 400  # a later one needs the current password


def test_a_change_that_users_ms_completes_during_the_repetition_succeeds(client, sign_in, users_service, monkeypatch):
    pair = sign_in()
    users_service.loses_answers = True
    assert change(client, pair).status_code == 503
    users_service.loses_answers = False
    looks, look = [], password_changes._find_completed

    def look_too_early_once(**given):
        looks.append(given)
        return look(**given) if len(looks) > 1 else None

    monkeypatch.setattr(password_changes, "_find_completed", look_too_early_once)

    assert change(client, pair).status_code == 204


def test_a_change_that_users_ms_completes_after_the_comparison_succeeds(client, sign_in, ada, users_service):
    """The first request waits in users-ms for longer than auth-ms does, and is made just before the second."""
    pair = sign_in()
    set_password, waiting = users_service.set_password, []

    def wait(user, given):
        waiting.append(given)
        return 503, {}

    def make_both(user, given):
        set_password(user, waiting[0])
        return set_password(user, given)

    users_service.set_password = wait
    assert change(client, pair).status_code == 503
    users_service.set_password = make_both

    assert change(client, pair).status_code == 204
    assert ada["password_change_id"] == waiting[0]["change_id"]
    assert client.get("/auth-ms/auth/sessions", headers=bearer(pair)).status_code == 200
    assert AuditEvent.objects.get(event="password_change").outcome == "success"


def test_only_the_password_of_the_lost_change_replaces_the_current_one(client, sign_in, users_service):
    pair, other = sign_in(), sign_in()
    users_service.loses_answers = True
    change(client, pair)
    users_service.loses_answers = False

    assert change(client, pair, new="a staple of other horses").status_code == 400
    assert change(client, other).status_code == 400  # nor in another session


def test_a_change_that_never_reached_users_ms_can_be_repeated(client, sign_in, users_service):
    pair = sign_in()
    original = users_service.set_password
    users_service.set_password = lambda user, given: (503, {})
    assert change(client, pair).status_code == 503
    users_service.set_password = original

    assert change(client, pair).status_code == 204
    assert client.post("/auth-ms/auth/login", **login(password=NEW)).status_code == 200


def test_a_password_changed_during_the_comparison_is_not_overwritten(client, sign_in, ada, monkeypatch):
    pair = sign_in()
    check = password_changes.login.check_password

    def check_while_another_request_changes_it(**given):
        user = check(**given)
        ada["password_version"] += 1
        return user

    monkeypatch.setattr(password_changes.login, "check_password", check_while_another_request_changes_it)

    assert change(client, pair).status_code == 409


def test_a_reset_whose_answer_was_lost_succeeds_when_repeated(client, ada, sign_in, users_service):
    pair = sign_in()
    forgot(client)
    token = mailed_token()
    users_service.loses_answers = True
    assert reset(client, token).status_code == 503
    users_service.loses_answers = False
    changed = ada["password_change_id"]

    assert reset(client, token).status_code == 204
    assert ada["password_change_id"] == changed
    assert client.get("/auth-ms/auth/sessions", headers=bearer(pair)).status_code == 401


def test_the_token_of_a_lost_reset_sets_no_other_password(client, ada, users_service):
    forgot(client)
    token = mailed_token()
    users_service.loses_answers = True
    reset(client, token)
    users_service.loses_answers = False

    assert reset(client, token, "yet another password").status_code == 400
    assert client.post("/auth-ms/auth/login", **login(password=NEW)).status_code == 200


@pytest.mark.parametrize("change", [{"email": "ada@example.net"}, {"password_version": 2}])
def test_a_change_of_address_or_password_invalidates_the_token(client, ada, change):
    forgot(client)
    ada.update(change)

    assert reset(client, mailed_token()).status_code == 400
    assert client.post("/auth-ms/auth/login", **login(username=ada["email"])).status_code == 200


def test_another_spelling_of_the_address_keeps_the_token_valid(client, ada):
    forgot(client)
    ada["email"] = "Ada@Example.org"

    assert reset(client, mailed_token()).status_code == 204


def test_a_password_change_invalidates_all_mailed_tokens(client, ada, sign_in):
    pair = sign_in()
    forgot(client)

    assert change(client, pair).status_code == 204
    assert not OneTimeToken.objects.exists()


def test_mails_are_limited_whatever_the_spelling_of_the_address(client, ada):
    spellings = ["ada@example.org", "ADA@example.org", "Ada@EXAMPLE.org", "ada@Example.Org"]
    for number in range(8):
        ada["email"] = spellings[number % 4]
        forgot(client, spellings[number % 4], REMOTE_ADDR=f"192.0.2.{number}")

    assert len(recorded("password_reset_requested_event")) == 5


def test_a_first_verification_by_a_reset_ends_earlier_access(client, ada, sign_in):
    ada["email_verified"] = False
    pair = sign_in()
    TOTP.objects.create(user_id=7, sealed_secret=b"x", confirmed_at=timezone.now())
    Passkey.objects.create(user_id=7, credential_id=b"x", public_key=b"", sign_count=0, name="of a stranger")
    RecoveryCode.objects.create(user_id=7, code_hash=b"x")
    forgot(client)

    assert reset(client, mailed_token()).status_code == 204

    assert client.get("/auth-ms/auth/sessions", headers=bearer(pair)).status_code == 401
    for model in (TOTP, Passkey, RecoveryCode):
        assert not model.objects.exists()
    assert AuditEvent.objects.filter(event="second_factors_removed").count() == 1


def test_a_reset_of_a_verified_address_keeps_factors(client, ada, sign_in):
    Passkey.objects.create(user_id=7, credential_id=b"x", public_key=b"", sign_count=0, name="Ada's")
    forgot(client)

    assert reset(client, mailed_token()).status_code == 204
    assert Passkey.objects.exists()


def test_password_changes_and_resets_are_recorded_without_the_full_address(client, ada, sign_in):
    forgot(client)
    reset(client, mailed_token())

    written = AuditEvent.objects.filter(event__startswith="password").order_by("id")
    assert [(event.event, event.user_id) for event in written] == [("password_forgotten", 7), ("password_reset", 7)]
    assert written[0].username == "a***@example.org"
