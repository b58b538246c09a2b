"""Users whom another provider has signed in: created by auth-ms, without a password, once per key."""

import pytest
from django.contrib.auth import hashers

from chassis.outbox.models import OutboxMessage
from users.tests.builders import a_user, as_json
from users_ms.accounts.models import User

pytestmark = pytest.mark.django_db


def create(auth_ms, **changes):
    fields = {"key": "external-identity-1", "name": "Grace", "surname": "Hopper", "email": "grace@example.org"}
    return auth_ms.post("/users-ms/internal/users", **as_json(fields | {"email_verified": True} | changes))


def test_a_user_is_created_without_a_password(auth_ms):
    answer = create(auth_ms, locale="it")

    user = User.objects.get()
    assert answer.status_code == 201 and answer.json()["id"] == user.id
    assert answer.headers["Cache-Control"] == "no-store"
    assert (user.name, user.surname, user.email, user.locale) == ("Grace", "Hopper", "grace@example.org", "it")
    assert user.email_verified and not hashers.is_password_usable(user.password_hash)
    assert OutboxMessage.objects.get().body["data"]["email_verified"] is True


def test_the_event_says_from_where_the_other_providers_user_came(auth_ms):
    create(auth_ms, address="192.0.2.7", user_agent="Firefox")

    event = OutboxMessage.objects.get().body["data"]
    assert (event["actor_id"], event["address"], event["user_agent"]) == (None, "192.0.2.7", "Firefox")


def test_the_same_key_creates_one_user(auth_ms):
    first, second = create(auth_ms), create(auth_ms, name="Another")

    assert first.json() == second.json()
    assert User.objects.count() == OutboxMessage.objects.count() == 1


def test_another_key_does_not_get_a_user_with_the_same_address(auth_ms):
    create(auth_ms)

    assert create(auth_ms, key="external-identity-2").status_code == 409
    assert User.objects.count() == 1


@pytest.mark.parametrize("email", ["ada@example.org", "ADA@example.org"])
def test_an_address_with_an_account_is_not_given_to_another(auth_ms, email):
    a_user()

    assert create(auth_ms, email=email).status_code == 409
    assert User.objects.count() == 1


def test_a_deleted_user_is_not_created_again_by_its_key(auth_ms):
    create(auth_ms)
    User.objects.all().delete()

    assert create(auth_ms, email="other@example.org").status_code == 201  # the key has gone with the user


@pytest.mark.parametrize("known", [True, False])
def test_where_accounts_are_concealed_an_unverified_address_gets_one_answer(auth_ms, settings, known):
    settings.CONCEAL_ACCOUNTS = True
    if known:
        a_user(email="grace@example.org")

    answer = create(auth_ms, email_verified=False)

    assert answer.status_code == 409 and answer.json()["detail"] == "Another user has this email address."
    assert User.objects.filter(surname="Hopper").count() == 0


def test_where_accounts_are_concealed_the_owner_of_an_address_still_gets_an_account(auth_ms, settings):
    settings.CONCEAL_ACCOUNTS = True

    assert create(auth_ms).status_code == 201


@pytest.mark.parametrize("known", [True, False])
def test_where_sign_up_is_off_every_address_gets_one_answer(auth_ms, settings, known):
    settings.SIGN_UP = "off"
    if known:
        a_user(email="grace@example.org")

    answer = create(auth_ms)

    assert (answer.status_code, answer.json()["code"]) == (403, "sign_up_not_allowed")
    assert User.objects.filter(surname="Hopper").count() == 0


@pytest.mark.parametrize(("domain", "status"), [("example.org", 201), ("example.com", 403)])
def test_where_sign_up_is_by_domain_other_providers_are_no_way_around_it(auth_ms, settings, domain, status):
    settings.SIGN_UP, settings.SIGN_UP_DOMAINS = "domain", {domain}

    assert create(auth_ms).status_code == status


@pytest.mark.parametrize(
    "changes",
    [{"email": "x"}, {"name": ""}, {"name": "a\nb"}, {"key": ""}, {"email_verified": "yes"}, {"locale": "??"}],
)
def test_bad_input_is_refused(auth_ms, changes):
    assert create(auth_ms, **changes).status_code == 400
    assert not User.objects.exists()


def test_surnames_are_not_needed(auth_ms):
    assert create(auth_ms, surname="").json()["surname"] == ""


def test_only_services_create_such_users(client, caller):
    user = a_user()

    for someone in (client, caller(user_id=user.id), caller(user_id=user.id, admin=True)):
        assert create(someone).status_code == 401
