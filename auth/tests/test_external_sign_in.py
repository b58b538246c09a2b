"""Sign-in with other providers: known and unknown identities, second factors, and the account behind them."""

import jwt
import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from auth.tests import oauth
from auth.tests.actions import account_changed, begin, confirm, event, signed_in
from auth.tests.builders import PASSWORD_HASH, bearer, recorded
from auth.tests.external_provider import SUBJECT, come_back, from_console, linked, press, query_of, says, sign_in
from auth_ms.accounts import tasks
from auth_ms.models import (
    AuditEvent,
    ExternalIdentity,
    ExternalSignIn,
    OneTimeToken,
    PendingLogin,
    Session,
)

pytestmark = pytest.mark.django_db

OWN = {"Host": "accounts.example.org", "Origin": "http://accounts.example.org", "Token-Delivery": "cookie"}


@pytest.fixture
def browser(ada):
    """A browser that has never been here."""
    return Client()


def claims_of(app, answer):
    tokens = app.redeem(oauth.members_of(answer)["code"]).json()
    return jwt.decode(tokens["id_token"], options={"verify_signature": False})


# A known identity


def test_a_known_identity_signs_in_and_the_id_token_says_how(app, browser, fake, provider):
    identity = linked(provider)

    answer = sign_in(app, browser, fake)

    claims = claims_of(app, answer)
    assert (claims["sub"], claims["amr"], claims["acr"]) == ("7", ["fed"], "aal1")
    assert {"oauth_session", "refresh_token"} <= set(answer.cookies)
    identity.refresh_from_db()
    assert identity.last_used_at is not None
    assert not ExternalSignIn.objects.exists()


def test_the_request_has_state_nonce_and_pkce(app, browser, fake, provider):
    url = press(browser, app.authorize(browser, prompt="login"))["Location"]

    query = query_of(url)
    assert url.startswith(f"{fake.issuer}/authorize?")
    assert query["redirect_uri"].endswith("/auth-ms/oauth/external/fake/callback")
    assert query["code_challenge_method"] == "S256" and query["prompt"] == "login"
    assert len({query["state"], query["nonce"], query["code_challenge"]}) == 3
    stored = ExternalSignIn.objects.get()
    assert query["state"].encode() not in bytes(stored.state_hash)


def test_a_second_factor_is_asked_for_as_after_a_password(app, browser, fake, provider, ada_client):
    linked(provider)
    totp = begin(ada_client)
    codes = confirm(ada_client, totp.now()).json()["recovery_codes"]
    fake.person["amr"] = ["pwd", "mfa"]  # of no value: the provider is not trusted with it

    page = sign_in(app, browser, fake)

    assert b'value="second_factor"' in page.content
    assert list(page.cookies) == ["oauth_browser"]
    answer = oauth.submit(browser, page, method="recovery_code", code=codes[0])
    assert claims_of(app, answer)["amr"] == ["fed", "otp", "mfa"]


@pytest.mark.parametrize("counts", [False, True])
def test_where_a_second_factor_is_required_a_provider_replaces_it_only_when_set_so(app, fake, ada, settings, counts):
    settings.SECOND_FACTOR_REQUIRED = True
    linked(fake.register(counts_as_second_factor=counts))
    fake.person["amr"] = ["pwd", "mfa"]

    answer = sign_in(app, Client(), fake)

    if counts:
        assert claims_of(app, answer)["amr"] == ["fed", "mfa"]
    else:
        assert b'value="address"' in answer.content and not Session.objects.exists()


def test_the_second_factor_of_a_provider_counts_only_when_set_so_and_proven(app, browser, fake, ada_client):
    provider = fake.register(counts_as_second_factor=True)
    linked(provider)
    confirm(ada_client, begin(ada_client).now())

    without = sign_in(app, Client(), fake)
    fake.person["amr"] = ["pwd", "mfa"]
    answer = sign_in(app, browser, fake, acr_values="aal2")

    assert b'value="second_factor"' in without.content
    claims = claims_of(app, answer)
    assert (claims["amr"], claims["acr"]) == (["fed", "mfa"], "aal2")


def test_an_application_that_needs_two_factors_does_not_get_one(app, browser, fake, provider):
    linked(provider)

    answer = sign_in(app, browser, fake, acr_values="aal2")

    assert oauth.members_of(answer)["error"] == "unmet_authentication_requirements"


@pytest.mark.parametrize("state", ["deactivated", "deleted"])
def test_an_identity_of_an_account_that_is_not_active_opens_nothing(
    app, browser, fake, provider, ada, users_service, state
):
    linked(provider)
    if state == "deactivated":
        ada["is_active"] = False
    else:
        del users_service.users[ada["email"]]

    page = sign_in(app, browser, fake)

    assert page.status_code == 403 and says(page, "external_failed")
    assert not Session.objects.exists()
    assert AuditEvent.objects.filter(event="login", outcome="failure", details__provider="fake").count() == 1


def test_consent_is_asked_for_after_the_sign_in(browser, fake, provider):
    linked(provider)
    other = oauth.register(first_party=False)

    page = sign_in(other, browser, fake)

    assert b'value="consent"' in page.content
    assert "code" in oauth.members_of(oauth.submit(browser, page, decision="allow"))


# When the user signed in there


@pytest.mark.parametrize("asked", [{"prompt": "login"}, {"max_age": "0"}, {"max_age": "600"}], ids=str)
def test_a_provider_that_proves_a_recent_sign_in_is_asked_for_one(app, browser, fake, provider, asked):
    linked(provider)
    fake.signed_in_seconds_ago = 5

    url = press(browser, app.authorize(browser, **asked))["Location"]
    answer = come_back(browser, fake.response_to(url))

    assert query_of(url)["max_age"] == asked.get("max_age", "0")
    assert query_of(url).get("prompt") == asked.get("prompt")
    assert claims_of(app, answer)["amr"] == ["fed"]


@pytest.mark.parametrize("said", [None, 700, -700, "now", True], ids=str)
@pytest.mark.parametrize("asked", [{"prompt": "login"}, {"max_age": "600"}], ids=str)
def test_a_session_at_the_provider_is_no_recent_sign_in(app, browser, fake, provider, asked, said):
    linked(provider)
    fake.signed_in_seconds_ago = said if type(said) is int else None
    fake.claims = {} if type(said) is int else {"auth_time": said}

    page = sign_in(app, browser, fake, **asked)

    assert page.status_code == 403 and says(page, "external_not_recent")
    assert not Session.objects.exists()
    assert AuditEvent.objects.filter(event="login", outcome="failure", details__provider="fake").count() == 1
    assert "code" in oauth.members_of(oauth.sign_in(browser, page))  # the password is another way


def test_an_old_session_at_the_provider_is_enough_for_whoever_asks_for_nothing(app, browser, fake, provider):
    linked(provider)
    fake.signed_in_seconds_ago = 86_400

    assert claims_of(app, sign_in(app, browser, fake))["amr"] == ["fed"]


def test_who_signs_in_to_the_console_again_does_so_at_the_provider_too(browser, fake, provider):
    linked(provider)
    begun = from_console(browser, again="1")
    assert (query_of(begun["Location"])["prompt"], query_of(begun["Location"])["max_age"]) == ("login", "0")
    fake.signed_in_seconds_ago = 700

    page = come_back(browser, fake.response_to(begun["Location"]))

    assert says(page, "external_not_recent") and not Session.objects.exists()


# An unknown identity


def test_an_unknown_identity_gets_an_account_and_has_it_next_time(app, browser, fake, provider, users_service):
    first = claims_of(app, sign_in(app, browser, fake, ui_locales="it"))
    second = claims_of(app, sign_in(app, Client(), fake))

    made = users_service.created[0]
    assert (made["name"], made["surname"], made["email"]) == ("Grace", "Hopper", "grace@example.org")
    assert made["email_verified"] is False  # the provider says so, but it is not trusted with it
    assert made["locale"] == "it"
    assert first["sub"] == second["sub"] != "7"
    assert len(users_service.created) == 1
    assert AuditEvent.objects.filter(event="identity_linked", user_id=int(first["sub"])).count() == 1


@pytest.mark.parametrize(
    ("said", "verified"), [(True, True), ("true", True), (False, False), (None, False), (1, False)]
)
def test_an_address_is_verified_only_as_a_trusted_provider_says(app, browser, fake, users_service, said, verified):
    fake.register(trusts_email=True)
    fake.person["email_verified"] = said

    sign_in(app, browser, fake)

    assert users_service.created[0]["email_verified"] is verified


def test_the_address_may_be_in_userinfo_only(app, browser, fake, provider, users_service):
    fake.userinfo = {**fake.person}
    fake.person = {"sub": SUBJECT}

    sign_in(app, browser, fake)

    assert users_service.created[0]["email"] == "grace@example.org"


def test_userinfo_about_another_user_is_refused(app, browser, fake, provider, users_service):
    fake.userinfo = {**fake.person, "sub": "another"}
    fake.person = {"sub": SUBJECT}

    page = sign_in(app, browser, fake)

    assert says(page, "external_failed") and not users_service.created


@pytest.mark.parametrize("trusted", [False, True])
def test_a_known_address_takes_nothing_over(app, browser, fake, ada, users_service, trusted):
    fake.register(trusts_email=trusted)
    fake.person["email"] = "ADA@example.org"

    page = sign_in(app, browser, fake)

    assert page.status_code == 200 and says(page, "external_sign_in_first")
    assert not Session.objects.exists() and not ExternalIdentity.objects.exists() and not users_service.created
    assert b'name="password"' in page.content


def test_who_signs_in_first_may_then_link_the_identity(app, browser, fake, provider, ada):
    fake.person["email"] = "ada@example.org"
    page = sign_in(app, browser, fake)

    asked = oauth.sign_in(browser, page)
    assert says(asked, "link_question") and not ExternalIdentity.objects.exists()
    answer = oauth.submit(browser, asked, decision="allow")

    assert claims_of(app, answer)["sub"] == "7"
    assert ExternalIdentity.objects.get().user_id == 7
    assert recorded("sign_in_changed_event")[-1]["change"] == "identity_linked"
    assert claims_of(app, sign_in(app, Client(), fake))["amr"] == ["fed"]


def test_who_signs_in_first_need_not_link_it(app, browser, fake, provider, ada):
    fake.person["email"] = "ada@example.org"
    asked = oauth.sign_in(browser, sign_in(app, browser, fake))

    answer = oauth.submit(browser, asked, decision="deny")

    assert claims_of(app, answer)["sub"] == "7"
    assert not ExternalIdentity.objects.exists()


def test_an_account_with_an_unverified_address_links_nothing(app, browser, fake, provider, ada):
    ada["email_verified"] = False
    fake.person["email"] = "ada@example.org"
    asked = oauth.sign_in(browser, sign_in(app, browser, fake))

    answer = oauth.submit(browser, asked, decision="allow")

    assert answer.status_code == 403 and says(answer, "email_not_verified")
    assert not ExternalIdentity.objects.exists()


@pytest.mark.parametrize("why", ["creates_accounts", "no address", "invalid address", "concealed"])
def test_no_account_is_created_where_none_may_be(app, browser, fake, users_service, why):
    fake.register(creates_accounts=why != "creates_accounts")
    users_service.conceals = why == "concealed"
    if why == "no address":
        del fake.person["email"]
        fake.metadata["userinfo_endpoint"] = None
    if why == "invalid address":
        fake.person["email"] = "gr\u0430ce@example.org"  # a Cyrillic letter

    page = sign_in(app, browser, fake)

    assert says(page, "external_sign_in_first")
    assert not users_service.created and not ExternalIdentity.objects.exists()


def test_an_account_whose_creation_was_not_answered_is_found_again(app, browser, fake, provider, users_service):
    users_service.status = 503
    page = sign_in(app, browser, fake)
    assert page.status_code == 503 and says(page, "unavailable")
    assert len(users_service.created) == 1  # it exists, but nobody was told
    users_service.status = 200

    answer = sign_in(app, Client(), fake)

    assert claims_of(app, answer)["sub"] == str(users_service.created[0]["id"])
    assert len(users_service.created) == 1


def test_names_are_made_printable_and_short(app, browser, fake, provider, users_service):
    fake.person |= {"given_name": "Gra\nce\u202e" + "x" * 200, "family_name": None}

    sign_in(app, browser, fake)

    name = users_service.created[0]["name"]
    assert name.startswith("Gra ce x") and len(name) == 100
    assert users_service.created[0]["surname"] == ""


# From the console


def test_the_console_is_signed_in_by_the_same_session(browser, fake, provider):
    linked(provider)
    begun = from_console(browser)

    back = come_back(browser, fake.response_to(begun["Location"]))

    assert (back.status_code, back["Location"]) == (303, f"{settings.PUBLIC_URL}/")
    resumed = browser.post("/auth-ms/auth/refresh", headers=OWN)
    assert resumed.status_code == 200
    sessions = browser.get("/auth-ms/auth/sessions", headers=bearer(resumed.json())).json()["results"]
    assert [each["methods"] for each in sessions] == [["fed"]]


def test_on_the_way_to_the_console_a_second_factor_is_asked_for_too(browser, fake, provider, ada_client):
    linked(provider)
    codes = confirm(ada_client, begin(ada_client).now()).json()["recovery_codes"]
    begun = from_console(browser)

    page = come_back(browser, fake.response_to(begun["Location"]))
    assert b'value="second_factor"' in page.content
    back = oauth.submit(browser, page, method="recovery_code", code=codes[0])

    assert back["Location"] == f"{settings.PUBLIC_URL}/"


def test_a_cancelled_sign_in_shows_the_page_again_and_leads_back(browser, fake, provider):
    begun = from_console(browser)

    page = come_back(browser, fake.response_to(begun["Location"], code=None, error="access_denied"))
    back = oauth.submit(browser, page, cancel="1")

    assert page.status_code == 403 and says(page, "external_cancelled")
    assert back["Location"] == f"{settings.PUBLIC_URL}/"


# Linking and unlinking


@pytest.fixture
def signed_in_browser(app, ada):
    return oauth.signed_in_browser(app)


def link(browser, fake):
    begun = browser.get("/auth-ms/oauth/external/fake", {"link": "1"})
    return come_back(browser, fake.response_to(begun["Location"]))


def test_a_further_identity_is_linked_after_a_confirmation(signed_in_browser, fake, provider, ada_client):
    page = link(signed_in_browser, fake)
    assert says(page, "link_question") and b"grace@example.org" in page.content
    assert not ExternalIdentity.objects.exists()

    back = oauth.submit(signed_in_browser, page, decision="allow")

    assert back["Location"] == f"{settings.PUBLIC_URL}/#/security"
    listed = ada_client.get("/auth-ms/auth/identities").json()["results"]
    assert [(each["provider"], each["name"], each["email"]) for each in listed] == [
        ("fake", "Fake", "grace@example.org")
    ]
    assert ada_client.get("/auth-ms/auth/export").json()["identities"] == listed


def test_linking_needs_a_session_that_is_fresh(signed_in_browser, fake, provider):
    Session.objects.update(created_at=timezone.now() - timezone.timedelta(hours=2))

    old = signed_in_browser.get("/auth-ms/oauth/external/fake", {"link": "1"})
    none = Client().get("/auth-ms/oauth/external/fake", {"link": "1"})

    assert says(old, "sign_in_again") and says(none, "sign_in_again")
    assert not ExternalSignIn.objects.exists()


def test_an_identity_of_another_account_is_not_linked(signed_in_browser, fake, provider):
    linked(provider, user_id=8)

    answer = oauth.submit(signed_in_browser, link(signed_in_browser, fake), decision="allow")

    assert answer.status_code == 409 and says(answer, "identity_taken")
    assert ExternalIdentity.objects.get().user_id == 8


def test_an_account_that_was_never_created_is_no_other_account(signed_in_browser, fake, provider):
    linked(provider, user_id=None)

    oauth.submit(signed_in_browser, link(signed_in_browser, fake), decision="allow")

    assert ExternalIdentity.objects.get().user_id == 7


def test_linking_ends_when_another_user_has_signed_in_meanwhile(app, signed_in_browser, fake, provider, users_service):
    users_service.add(id=8, email="eve@example.org")
    page = link(signed_in_browser, fake)
    oauth.sign_in(signed_in_browser, app.authorize(signed_in_browser, prompt="login"), username="eve@example.org")

    answer = oauth.submit(signed_in_browser, page, decision="allow")

    assert says(answer, "expired") and not ExternalIdentity.objects.exists()


def test_unlinking_is_refused_where_nothing_else_opens_the_account(provider, ada, ada_client):
    first, second = linked(provider), linked(provider, subject="two")
    path = "/auth-ms/auth/identities"
    ada["password_hash"] = "!"

    answers = [ada_client.delete(f"{path}/{each.id}") for each in (first, second)]
    ada["password_hash"] = PASSWORD_HASH
    with_password = ada_client.delete(f"{path}/{second.id}")

    assert [answer.status_code for answer in (*answers, with_password)] == [204, 409, 204]
    assert answers[1].json()["title"] == "Last way in"
    assert recorded("sign_in_changed_event")[-1]["change"] == "identity_unlinked"
    assert AuditEvent.objects.filter(event="identity_unlinked", user_id=7).count() == 2


def test_an_identity_at_a_disabled_provider_is_no_way_in(provider, fake, ada, ada_client):
    identity, other = linked(provider), linked(provider, subject="two")
    ada["password_hash"] = "!"
    type(provider).objects.update(enabled=False)

    assert ada_client.delete(f"/auth-ms/auth/identities/{identity.id}").status_code == 409
    assert ExternalIdentity.objects.filter(id=other.id).exists()


def test_unlinking_needs_a_recent_sign_in_and_an_own_identity(provider, ada, ada_client, users_service, settings):
    identity = linked(provider)
    path = f"/auth-ms/auth/identities/{identity.id}"
    eve = signed_in(users_service.add(id=8, email="eve@example.org"))

    assert eve.delete(path).status_code == 404
    settings.PRIVILEGED_SESSION_SECONDS = -1
    assert ada_client.delete(path).status_code == 403
    assert ExternalIdentity.objects.exists()


def test_an_unlinked_identity_opens_nothing_and_ends_logins_that_wait(app, browser, fake, provider, ada_client):
    identity = linked(provider)
    codes = confirm(ada_client, begin(ada_client).now()).json()["recovery_codes"]
    page = sign_in(app, browser, fake)

    assert ada_client.delete(f"/auth-ms/auth/identities/{identity.id}").status_code == 204

    answer = oauth.submit(browser, page, method="recovery_code", code=codes[0])
    assert answer.status_code == 403 and not PendingLogin.objects.exists()


# What ends with the account, and what somebody else may have linked


def test_identities_are_deleted_with_the_account(provider, ada, users_service):
    linked(provider)
    linked(provider, user_id=8, subject="two")
    del users_service.users[ada["email"]]

    tasks.delete_data_of_deleted_user(event=event("user_deleted_event", user_id=7))

    assert [each.user_id for each in ExternalIdentity.objects.all()] == [8]


def test_the_first_reset_of_a_password_unlinks_what_a_stranger_linked_before(provider, ada):
    linked(provider)

    tasks.apply_password_change(
        event=event(
            "password_changed_event",
            user_id=7,
            change_id="0b7fd4d2-5f0f-4f5e-8a1d-111111111111",
            reason="reset",
            changed_at=timezone.now().isoformat(),
            first_proof=True,
        )
    )

    assert not ExternalIdentity.objects.exists()


def test_a_verification_by_mail_leaves_the_identity_that_created_the_account(provider, ada):
    linked(provider)

    tasks.apply_account_change(event=account_changed("email_verified", first_proof=True))

    assert ExternalIdentity.objects.exists()


def test_an_undone_change_of_address_unlinks_what_was_linked_since(provider, ada):
    before = linked(provider)
    ExternalIdentity.objects.update(linked_at=timezone.now() - timezone.timedelta(days=1))
    asked_at = timezone.now() - timezone.timedelta(hours=1)
    OneTimeToken.objects.create(
        token_hash=b"x",
        purpose=OneTimeToken.Purpose.EMAIL_CHANGE_UNDO,
        user_id=7,
        email="ada@example.org",
        password_version=1,
        created_at=asked_at,
        expires_at=timezone.now() + timezone.timedelta(hours=1),
    )
    linked(provider, subject="of a thief")

    changes = {"old_email": "thief@example.net", "new_email": "ada@example.org"}
    tasks.apply_account_change(event=account_changed("email_change_undone", **changes))

    assert list(ExternalIdentity.objects.all()) == [before]
