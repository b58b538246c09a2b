"""Attacks on sign-ins with other providers: by strangers, by another provider, and by the provider itself."""

import threading

import jwt
import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone

from auth.tests import oauth
from auth.tests.actions import begin, confirm, signed_in
from auth.tests.builders import as_json
from auth.tests.external_provider import (
    CLIENT_ID,
    SECRET,
    come_back,
    forget_everything,
    from_console,
    linked,
    press,
    query_of,
    says,
    sign_in,
)
from auth.tests.signing import Key
from auth_ms.external.services import code_flow, discovery
from auth_ms.factors.services import failures
from auth_ms.keys.services import documents
from auth_ms.models import (
    AuditEvent,
    ExternalIdentity,
    ExternalProvider,
    ExternalSignIn,
    PendingLogin,
    RecoveryCode,
    SecondFactorFailures,
    Session,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(ada):
    """A browser that has never been here."""
    return Client()


@pytest.fixture
def identity(provider):
    """Ada's identity, so that a sign-in that is accepted opens a session."""
    return linked(provider)


def refused(page, text="external_failed"):
    """True when a page says so, and nobody was signed in."""
    return says(page, text) and page.status_code >= 400 and not Session.objects.exists()


def begun(app, browser):
    return press(browser, app.authorize(browser))["Location"]


# A response that is not for this browser, or not for this sign-in


def test_a_response_that_another_browser_has_begun_signs_nobody_in(app, browser, fake, identity):
    response = fake.response_to(begun(app, browser))  # the attacker's, who leads the victim's browser to it
    victim = Client()
    app.authorize(victim)

    assert refused(come_back(victim, response), "expired")
    assert refused(come_back(Client(), response), "expired")
    assert come_back(browser, response).status_code == 303  # it was not used up


def test_a_state_works_once(browser, fake, identity):
    """The application needs consent, so that its request still waits when the response comes again."""
    url = begun(oauth.register(first_party=False), browser)
    assert b'value="consent"' in come_back(browser, fake.response_to(url)).content
    Session.objects.all().delete()

    assert refused(come_back(browser, fake.response_to(url)), "expired")


def test_a_state_that_has_failed_works_no_more(app, browser, fake, identity):
    url = begun(app, browser)
    come_back(browser, fake.response_to(url, code=None, error="access_denied"))

    assert refused(come_back(browser, fake.response_to(url)), "expired")


@pytest.mark.parametrize("state", [None, "x", "\u0661", "x" * 9000])
def test_a_response_without_its_state_is_refused(app, browser, fake, identity, state):
    page = come_back(browser, fake.response_to(begun(app, browser), state=state))

    assert refused(page, "expired") or refused(page, "malformed")


def test_a_state_expires(app, browser, fake, identity):
    url = begun(app, browser)
    ExternalSignIn.objects.update(expires_at=timezone.now())

    assert refused(come_back(browser, fake.response_to(url)), "expired")


def test_a_code_of_another_sign_in_is_of_no_use(app, browser, fake, identity):
    stolen = fake.code_for(begun(app, Client()))  # somebody else's, injected into this browser's response

    page = come_back(browser, fake.response_to(begun(app, browser), code=stolen))

    assert refused(page)  # the provider has compared the code verifier


def test_a_parameter_that_stands_twice_is_refused(app, browser, fake, identity):
    members = fake.response_to(begun(app, browser))
    path = f"/auth-ms/oauth/external/fake/callback?state={members['state']}&code=a&code={members['code']}"

    assert refused(browser.get(path), "malformed")


# Mix-up


@pytest.mark.parametrize("iss", ["https://evil.example", None, ""])
def test_a_response_of_another_issuer_is_refused(app, browser, fake, identity, iss):
    page = come_back(browser, fake.response_to(begun(app, browser), iss=iss))

    assert refused(page)
    assert "/token" not in fake.asked  # nobody has got the code


def test_an_issuer_that_is_named_must_be_right_although_none_was_announced(app, browser, fake, identity):
    fake.metadata["authorization_response_iss_parameter_supported"] = None
    forget_everything()

    assert refused(come_back(browser, fake.response_to(begun(app, browser), iss="https://evil.example")))
    assert come_back(browser, fake.response_to(begun(app, browser), iss=None)).status_code == 303


def test_a_response_at_the_address_of_another_provider_is_refused(app, browser, fake, identity):
    ExternalProvider.objects.create(
        slug="evil", name="Evil", issuer="https://evil.example", client_id="x", client_secret_encrypted=b"x"
    )

    assert refused(come_back(browser, fake.response_to(begun(app, browser)), slug="evil"), "expired")


# ID tokens


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": None},
        {"nonce": "another"},
        {"nonce": ["x"]},
        {"aud": "another"},
        {"aud": [CLIENT_ID, "another"]},
        {"aud": []},
        {"aud": None},
        {"azp": "another"},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"iat": 4102444800},
        {"iat": None},
        {"nbf": 4102444800},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
        {"sub": "\u0430da"},
    ],
    ids=str,
)
def test_an_id_token_that_is_not_for_us_now_is_refused(app, browser, fake, identity, changes):
    fake.claims = changes

    assert refused(sign_in(app, browser, fake))
    assert AuditEvent.objects.filter(event="login", outcome="failure", details__provider="fake").count() == 1


def test_an_id_token_may_be_long_but_not_endless(app, browser, fake, identity):
    fake.claims = {"groups": "x" * 6000}
    assert sign_in(app, Client(), fake).status_code == 303
    Session.objects.all().delete()

    fake.claims = {"groups": "x" * 16384}

    assert refused(sign_in(app, browser, fake))


def test_an_id_token_without_a_signature_is_refused(app, browser, fake, identity):
    fake.sign = lambda given, header: jwt.encode(given, None, "none")

    assert refused(sign_in(app, browser, fake))


@pytest.mark.parametrize("secret", [SECRET, "the public key"])
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_an_id_token_signed_with_what_others_know_is_refused(app, browser, fake, identity, secret):
    fake.sign = lambda given, header: jwt.encode(given, secret, "HS256", {"kid": "one"})

    assert refused(sign_in(app, browser, fake))


@pytest.mark.parametrize(
    "header", [{"typ": "at+jwt"}, {"typ": "logout+jwt"}, {"crit": ["x"]}, {"kid": "unknown"}, {"kid": 7}], ids=str
)
def test_another_kind_of_token_or_an_unknown_key_is_refused(app, browser, fake, identity, header):
    fake.header = header
    if header.get("kid") == 7:  # PyJWT makes none
        fake.sign = lambda given, _: "e30.e30.e30"

    assert refused(sign_in(app, browser, fake))


def test_a_key_of_nobody_is_refused(app, browser, fake, identity):
    forged = Key("RS256", kid="one")
    fake.sign = lambda given, header: forged.sign(given)

    assert refused(sign_in(app, browser, fake))


@pytest.mark.parametrize("token", [b'{"access_token": "at"}', b'{"id_token": 7}', b'{"id_token": "x"}', b"[]", b"x"])
def test_an_answer_without_an_id_token_is_refused(app, browser, fake, identity, token):
    fake.overrides["/token"] = 200, {"Content-Type": "application/json"}, token

    assert refused(sign_in(app, browser, fake))


def test_keys_that_the_provider_has_changed_are_fetched_again_and_old_ones_are_worth_nothing(
    app, browser, fake, identity, monkeypatch
):
    old = fake.keys[0]
    assert sign_in(app, Client(), fake).status_code == 303
    Session.objects.all().delete()
    monkeypatch.setattr(documents, "MINIMUM_INTERVAL_SECONDS", 0)
    fake.keys = [Key("RS256", kid="two")]
    assert sign_in(app, Client(), fake).status_code == 303
    Session.objects.all().delete()

    fake.sign = lambda given, header: old.sign(given)

    assert refused(sign_in(app, browser, fake))


@pytest.mark.parametrize("algorithm", ["ES256", "PS256"])
def test_other_algorithms_are_accepted(app, browser, fake, identity, algorithm):
    fake.keys = [Key(algorithm, kid="one")]

    assert sign_in(app, browser, fake).status_code == 303


# A provider that claims what it should not


def test_the_address_of_another_user_gives_no_access_even_after_a_change(app, browser, fake, identity, ada):
    fake.person |= {"email": "root@example.org", "email_verified": True}  # the admin's

    answer = sign_in(app, browser, fake)

    session = Session.objects.get()
    assert answer.status_code == 303 and session.user_id == 7  # who has the subject, whatever the address


def test_the_same_subject_at_another_provider_is_somebody_else(app, browser, fake, identity, users_service):
    type(identity.provider).objects.filter(id=identity.provider_id).update(issuer="https://other.example", slug="other")
    fake.register()
    fake.person["email"] = "ada@example.org"

    assert says(sign_in(app, browser, fake), "external_sign_in_first")
    assert not Session.objects.exists()


def test_the_flow_leads_nowhere_else(app, browser, fake, identity):
    evil = {"redirect_uri": "https://evil.example", "next": "https://evil.example", "state": "x"}
    url = from_console(browser, **evil)["Location"]

    back = come_back(browser, fake.response_to(url) | {"redirect_uri": "https://evil.example"})

    assert query_of(url)["redirect_uri"] == f"{settings.PUBLIC_URL}/auth-ms/oauth/external/fake/callback"
    assert back["Location"] == f"{settings.PUBLIC_URL}/"


# Requests into the network, and answers without end


def test_an_issuer_inside_the_network_is_refused(fake, admin_client, settings):
    settings.PRIVATE_CLIENT_NETWORKS = []

    for issuer in (fake.issuer, "https://127.0.0.1", "https://169.254.169.254", "https://[::1]", "http://example.org"):
        answer = admin_client.post("/auth-ms/external-providers", **body(fake, issuer=issuer))
        assert answer.status_code == 400 and set(answer.json()["errors"]) == {"issuer"}
    assert fake.asked == []


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"])
@pytest.mark.parametrize(
    "url", ["http://127.0.0.2/", "https://10.0.0.1/", "javascript:alert(1)", "file:///etc/passwd", 7]
)
def test_an_endpoint_inside_the_network_is_refused(app, browser, fake, identity, name, url):
    fake.metadata[name] = url
    forget_everything()

    assert refused(press(browser, app.authorize(browser)))


def test_a_name_that_leads_into_the_network_is_not_asked(app, browser, fake, identity):
    fake.metadata["token_endpoint"] = "https://localhost6.localdomain/token"
    forget_everything()
    url = begun(app, browser)
    with pytest.MonkeyPatch.context() as patch:
        inside = [(2, 1, 6, "", ("10.0.0.1", 443))]
        patch.setattr(
            "socket.getaddrinfo", lambda host, *a, **k: inside if host.startswith("local") else real(host, *a)
        )
        page = come_back(browser, fake.response_to(url))

    assert refused(page)


def real(host, *arguments):
    return [(2, 1, 6, "", (host, arguments[0]))]


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/jwks"])
def test_redirects_are_not_followed(app, browser, fake, identity, path):
    fake.overrides[path] = 302, {"Location": f"{fake.issuer}/secret"}, b""
    forget_everything()
    page = press(browser, app.authorize(browser))
    if page.status_code == 303:
        page = come_back(browser, fake.response_to(page["Location"]))

    assert refused(page) or refused(page, "external_unavailable")
    assert "/secret" not in fake.asked


def test_a_discovery_document_of_another_issuer_is_refused(app, browser, fake, identity):
    for other in ("https://evil.example", f"{fake.issuer}/", None):
        fake.metadata["issuer"] = other
        forget_everything()
        assert refused(press(browser, app.authorize(browser)))


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/jwks"])
@pytest.mark.parametrize("kind", ["large", "slow", "broken"])
def test_a_provider_that_answers_too_much_too_slowly_or_not_at_all_is_given_up(
    app, browser, fake, identity, monkeypatch, path, kind
):
    if kind == "slow":
        fake.delay_seconds[path] = 30
        monkeypatch.setattr(documents, "REQUEST_SECONDS", 0.5)
    else:
        fake.overrides[path] = (200, {}, b"x" * 100_000) if kind == "large" else (500, {}, b"")
    forget_everything()
    page = press(browser, app.authorize(browser))
    if page.status_code == 303:
        page = come_back(browser, fake.response_to(page["Location"]))

    assert refused(page, "external_unavailable") and page.status_code == 503
    assert b'name="password"' in page.content  # another way in is offered


def test_a_slow_provider_is_left_alone_for_a_while(app, browser, fake, identity, monkeypatch):
    monkeypatch.setattr(discovery._breaker(fake.issuer), "_slow_seconds", 0)
    for _ in range(5):
        discovery.read(fake.issuer)
    asked = len(fake.asked)
    discovery._remembered.cache_clear()

    assert refused(press(browser, app.authorize(browser)), "external_unavailable")
    assert len(fake.asked) == asked


def test_known_metadata_stays_in_use_while_the_provider_does_not_answer(app, browser, fake, identity, monkeypatch):
    begun(app, browser)
    fake.overrides["/.well-known/openid-configuration"] = 500, {}, b""
    monkeypatch.setattr(documents, "MAXIMUM_AGE_SECONDS", -1)

    assert sign_in(app, browser, fake).status_code == 303


def test_beginnings_are_limited_by_client_address(browser, fake, identity, settings):
    settings.EXTERNAL_SIGN_INS_PER_10_MINUTES = 2

    answers = [from_console(browser) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [303, 303, 429]
    assert "Retry-After" in answers[2]


# Changes in the middle


def body(fake, **changes):
    values = {"slug": "other", "name": "Other", "issuer": fake.issuer, "client_id": CLIENT_ID, "client_secret": SECRET}
    return as_json(values | changes)


def disable(admin_client):
    values = {"name": "Fake", "client_id": CLIENT_ID, "enabled": False}
    assert admin_client.put("/auth-ms/external-providers/fake", **as_json(values)).status_code == 200


def test_a_provider_that_is_disabled_ends_sign_ins_on_their_way(app, browser, fake, identity, admin_client):
    url = begun(app, browser)
    disable(admin_client)
    Session.objects.all().delete()

    assert refused(come_back(browser, fake.response_to(url)), "expired")
    page = app.authorize(browser)
    assert b"Continue with" not in page.content
    assert refused(press(browser, page), "malformed")


def test_a_provider_that_is_disabled_completes_no_second_factor(app, browser, fake, identity, admin_client, ada_client):
    codes = confirm(ada_client, begin(ada_client).now()).json()["recovery_codes"]
    page = sign_in(app, browser, fake)
    disable(admin_client)
    Session.objects.all().delete()

    assert not PendingLogin.objects.exists()
    answer = oauth.submit(browser, page, method="recovery_code", code=codes[0])
    assert answer.status_code == 403 and not Session.objects.exists()


def test_a_provider_that_is_disabled_completes_no_link(app, browser, fake, provider, admin_client, ada):
    fake.person["email"] = "ada@example.org"
    asked = oauth.sign_in(browser, sign_in(app, browser, fake))
    disable(admin_client)

    answer = oauth.submit(browser, asked, decision="allow")

    assert answer.status_code == 404 and says(answer, "external_failed")
    assert not ExternalIdentity.objects.exists()


def test_an_identity_that_is_unlinked_in_the_middle_opens_no_session(app, browser, fake, identity, monkeypatch):
    def unlinked_now(*_, **__):
        ExternalIdentity.objects.all().delete()

    monkeypatch.setattr("auth_ms.sign_in.services.login.begin_second_factor", unlinked_now)

    assert refused(sign_in(app, browser, fake))


def test_a_blocked_second_factor_is_not_bypassed(app, browser, fake, identity, ada_client):
    confirm(ada_client, begin(ada_client).now())
    RecoveryCode.objects.all().delete()
    blocked = failures.UNTIL_BLOCKED
    SecondFactorFailures.objects.create(user_id=7, failures=blocked, totp_failures=blocked)
    Session.objects.all().delete()

    assert refused(sign_in(app, browser, fake), "blocked")


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", None])
def test_a_link_of_another_site_signs_nobody_in(browser, fake, identity, site):
    page = browser.get("/auth-ms/oauth/external/fake", headers={"Sec-Fetch-Site": site} if site else {})

    assert page.status_code == 200 and not ExternalSignIn.objects.exists()
    begun = press(browser, page)  # the person decides
    assert come_back(browser, fake.response_to(begun["Location"]))["Location"] == f"{settings.PUBLIC_URL}/"


def test_a_form_of_another_browser_begins_nothing(app, browser, fake, identity):
    page = app.authorize(browser)

    assert refused(press(Client(), page), "expired")
    assert not ExternalSignIn.objects.exists()


def test_a_confirmation_of_another_browser_links_nothing(app, browser, fake, provider, ada):
    fake.person["email"] = "ada@example.org"
    asked = oauth.sign_in(browser, sign_in(app, browser, fake))
    eve = oauth.signed_in_browser(app)

    assert says(oauth.submit(eve, asked, decision="allow"), "expired")
    assert not ExternalIdentity.objects.exists()


def test_an_identity_waits_only_in_the_request_in_which_it_was_proven(app, browser, fake, provider, ada):
    fake.person["email"] = "ada@example.org"
    sign_in(app, browser, fake)

    answer = oauth.sign_in(browser, app.authorize(browser))  # the next one at this browser, for another request

    assert "code" in oauth.members_of(answer)


@pytest.mark.django_db(transaction=True)
def test_of_two_identities_that_are_unlinked_at_once_one_stays(ada, provider):
    ada["password_hash"] = "!"
    rows = [linked(provider), linked(provider, subject="two")]
    clients = [signed_in(ada) for _ in rows]
    together = threading.Barrier(2, timeout=60)
    statuses = []

    def unlink(client, row):
        together.wait()
        statuses.append(client.delete(f"/auth-ms/auth/identities/{row.id}").status_code)
        connection.close()

    threads = [threading.Thread(target=unlink, args=pair) for pair in zip(clients, rows, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [204, 409]
    assert ExternalIdentity.objects.count() == 1


def test_secrets_and_tokens_are_in_no_log(app, browser, fake, identity, caplog):
    url = begun(app, browser)
    response = fake.response_to(url)
    come_back(browser, response)

    shown = caplog.text + str([record.__dict__ for record in caplog.records])
    assert all(secret not in shown for secret in (SECRET, response["code"], response["state"]))
    assert code_flow.derived("verifier", response["state"]) not in shown
