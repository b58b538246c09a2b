"""Passwords changed and forgotten, addresses verified. The mail's token is taken from where the relay takes it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from auth.tests.builders import PASSWORD, as_json, bearer, login
from auth_ms.sign_in.models import AuditEvent, OneTimeToken, Session
from chassis.outbox.models import OutboxMessage

pytestmark = pytest.mark.django_db
NEW = "a longer staple of horses"


def forgot(client, email="ada@example.org", **extra):
    return client.post("/auth-ms/auth/password/forgot", **as_json({"email": email}), **extra)


def reset(client, token, password=NEW):
    return client.post("/auth-ms/auth/password/reset", **as_json({"token": token, "new_password": password}))


def change(client, pair, current=PASSWORD, new=NEW):
    body = as_json({"current_password": current, "new_password": new})
    return client.post("/auth-ms/auth/password/change", headers=bearer(pair), **body)


def events(kind):
    return [message.event["data"] for message in OutboxMessage.objects.filter(exchange=kind).order_by("id")]


def mailed_token(kind="password_reset_requested_event"):
    return events(kind)[-1]["token"]


def test_a_forgotten_password_is_set_anew_with_the_token_from_the_mail(client, sign_in):
    pair = sign_in()
    assert forgot(client).status_code == 202

    assert reset(client, mailed_token()).status_code == 204

    assert client.post("/auth-ms/auth/login", **login()).status_code == 401
    assert client.post("/auth-ms/auth/login", **login(password=NEW)).status_code == 200
    assert client.get("/auth-ms/auth/sessions", headers=bearer(pair)).status_code == 401
    assert events("password_changed_event")[0]["email"] == "ada@example.org"


def test_the_answer_is_the_same_for_an_unknown_address(client, ada):
    known, unknown = forgot(client), forgot(client, "nobody@example.org")

    assert known.status_code == unknown.status_code == 202
    assert known.content == unknown.content
    assert len(events("password_reset_requested_event")) == 1


def test_only_a_hash_of_the_token_is_stored_in_the_clear(client, ada):
    forgot(client)

    token = mailed_token()
    assert token not in repr(list(OneTimeToken.objects.values()))
    assert token not in repr(list(OutboxMessage.objects.values()))


def test_a_token_counts_once(client, ada):
    forgot(client)
    token = mailed_token()
    assert reset(client, token).status_code == 204

    assert reset(client, token, "yet another password").status_code == 400
    assert client.post("/auth-ms/auth/login", **login(password=NEW)).status_code == 200


def test_a_reset_ends_the_other_tokens_too(client, ada):
    forgot(client)
    first = mailed_token()
    forgot(client)

    assert reset(client, mailed_token()).status_code == 204
    assert reset(client, first, "yet another password").status_code == 400


def test_a_token_expires(client, ada, settings):
    forgot(client)
    OneTimeToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert reset(client, mailed_token()).status_code == 400


def test_a_password_that_is_refused_does_not_use_the_token_up(client, ada):
    forgot(client)
    token = mailed_token()

    refused = reset(client, token, "short")

    assert refused.status_code == 400
    assert refused.json()["errors"] == {"new_password": ["Too short."]}
    assert reset(client, token).status_code == 204


def test_users_ms_down_does_not_use_the_token_up(client, ada, users_service):
    forgot(client)
    token = mailed_token()
    users_service.status = 500
    assert reset(client, token).status_code == 503
    users_service.status = 200

    assert reset(client, token).status_code == 204


def test_a_token_of_one_kind_is_none_of_the_other(client, ada):
    ada["email_verified"] = False
    forgot(client)

    assert client.post("/auth-ms/auth/email/verify", **as_json({"token": mailed_token()})).status_code == 400


def test_an_address_gets_only_so_many_mails_and_nobody_learns_of_it(client, ada):
    answers = {forgot(client, REMOTE_ADDR=f"192.0.2.{number}").status_code for number in range(8)}

    assert answers == {202}
    assert len(events("password_reset_requested_event")) == 5


def test_a_client_asks_only_so_often(client, ada, settings):
    settings.RECOVERY_REQUESTS_PER_HOUR = 2

    answers = [forgot(client, f"user{number}@example.org") for number in range(3)]

    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert answers[2].headers["Retry-After"]


def test_a_change_keeps_this_session_and_ends_the_others(client, sign_in):
    other, here = sign_in(), sign_in()

    assert change(client, here).status_code == 204

    assert client.get("/auth-ms/auth/sessions", headers=bearer(here)).status_code == 200
    assert client.get("/auth-ms/auth/sessions", headers=bearer(other)).status_code == 401
    assert client.post("/auth-ms/auth/login", **login(password=NEW)).status_code == 200
    [event] = events("password_changed_event")
    assert event["kept_session_id"] == Session.objects.order_by("id")[1].id


def test_a_change_needs_the_current_password(client, sign_in, ada):
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


def test_a_password_that_the_policy_refuses_is_named(client, sign_in):
    answer = change(client, sign_in(), new="short")

    assert answer.json()["errors"] == {"new_password": ["Too short."]}


def test_an_address_is_verified_with_the_token_from_the_mail(client, ada, sign_in):
    ada["email_verified"] = False
    asked = client.post("/auth-ms/auth/email/verification", headers=bearer(sign_in()))
    assert asked.status_code == 202

    token = mailed_token("email_verification_requested_event")
    assert client.post("/auth-ms/auth/email/verify", **as_json({"token": token})).status_code == 204

    assert ada["email_verified"] is True
    assert client.post("/auth-ms/auth/email/verify", **as_json({"token": token})).status_code == 400


def test_a_token_for_an_address_that_the_user_has_left_is_refused(client, ada, ada_client):
    ada["email_verified"] = False
    ada_client.post("/auth-ms/auth/email/verification")
    ada["email"] = "ada@example.net"

    token = mailed_token("email_verification_requested_event")
    assert client.post("/auth-ms/auth/email/verify", **as_json({"token": token})).status_code == 400
    assert ada["email_verified"] is False


def test_a_verified_address_needs_no_mail(ada_client):
    assert ada_client.post("/auth-ms/auth/email/verification").status_code == 409


def test_verification_mails_are_limited(ada, ada_client):
    ada["email_verified"] = False

    answers = [ada_client.post("/auth-ms/auth/email/verification").status_code for _ in range(7)]

    assert answers == [202] * 5 + [429] * 2


def test_it_is_all_written_down_without_the_address_in_full(client, ada, sign_in):
    forgot(client)
    reset(client, mailed_token())

    written = AuditEvent.objects.filter(event__startswith="password").order_by("id")
    assert [(event.event, event.user_id) for event in written] == [("password_forgotten", 7), ("password_reset", 7)]
    assert written[0].username == "a***@example.org"
