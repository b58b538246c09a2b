"""Sign-in by email on the provider's pages: the code, and the link that brings it to the browser that asked."""

from urllib.parse import urlsplit

import jwt
import pytest
from django.test import Client

from auth.tests import external_provider, oauth
from auth.tests.actions import add, signed_in
from auth.tests.authenticator import Authenticator
from auth.tests.builders import recorded
from auth.tests.email_codes import REQUESTED, a_wrong_code, sent_code
from auth.tests.external_provider import says
from auth_ms.models import EmailCode, Session

pytestmark = pytest.mark.django_db
PATH = "/auth-ms/oauth/email"


@pytest.fixture(autouse=True)
def on(settings):
    settings.EMAIL_SIGN_IN = "sign_in"


@pytest.fixture
def browser(ada):
    """A browser that has never been here."""
    return Client()


def ask(browser, page, email="ada@example.org"):
    """Press the button of the sign-in page."""
    return browser.post(PATH, oauth.fields_of(page) | {"username": email, "password": ""})


def enter(browser, page, code):
    """Send the form for the code."""
    return browser.post(PATH, oauth.fields_of(page) | {"code": code})


def follow(browser, **extra):
    """Follow the link of the mail, whose part after `#` browsers do not send."""
    return browser.get(PATH, **extra)


def id_token(app, answer):
    """The claims that the client is given."""
    given = app.redeem(oauth.members_of(answer)["code"]).json()["id_token"]
    return jwt.decode(given, options={"verify_signature": False})


def test_the_code_signs_in_and_the_client_gets_its_answer(app, browser):
    page = ask(browser, app.authorize(browser))
    answer = enter(browser, page, sent_code())

    claims = id_token(app, answer)
    assert (page.status_code, says(page, "email_code_title")) == (200, True)
    assert (claims["sub"], claims["amr"], claims["acr"]) == ("7", ["otp"], "aal1")
    assert app.code(browser)  # the browser is signed in


def test_the_page_offers_it_only_where_a_setting_says_so(app, browser, settings):
    offered = app.authorize(browser)
    settings.EMAIL_SIGN_IN = "off"

    assert says(offered, "email_code") and not says(app.authorize(browser), "email_code")
    refused = ask(browser, offered)
    assert (refused.status_code, says(refused, "malformed")) == (400, True)
    assert follow(browser).status_code == 400
    assert not recorded(REQUESTED)


def test_the_link_fills_in_the_code_in_the_browser_that_asked(app, browser):
    ask(browser, app.authorize(browser))

    pages = [follow(browser) for _ in range(2)]  # opening it uses nothing up
    answer = enter(browser, pages[-1], sent_code())

    assert [page.status_code for page in pages] == [200, 200]
    assert b'src="/auth-ms/static/auth_ms/email-code.js"' in pages[0].content and b"ada@example.org" in pages[0].content
    policy = pages[0]["Content-Security-Policy"]
    assert "script-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'" in policy
    assert (pages[0]["Referrer-Policy"], pages[0]["Cache-Control"]) == ("no-referrer", "no-store")
    assert urlsplit(answer["Location"]).netloc == "orders.example.org"
    assert follow(browser).status_code == 400  # it was used


def test_in_another_browser_the_link_and_the_code_are_worth_nothing(app, browser):
    page = ask(browser, app.authorize(browser))
    other = Client()

    followed = follow(other)
    alone = enter(other, page, sent_code())  # with the token of the page, and without its cookie
    own = other.post(PATH, oauth.fields_of(app.authorize(other)) | {"step": "email_code", "code": sent_code()})

    assert (followed.status_code, says(followed, "email_code_elsewhere")) == (400, True)
    assert (alone.status_code, says(alone, "expired")) == (400, True)
    assert (own.status_code, says(own, "wrong_code")) == (403, True)
    assert not Session.objects.exists()
    assert enter(browser, page, sent_code()).status_code == 303  # and the code is not used up


def test_a_mail_scanner_that_follows_the_link_uses_nothing_up(app, browser):
    page = ask(browser, app.authorize(browser))

    for method in ("get", "head", "post"):
        getattr(Client(), method)(PATH)

    assert EmailCode.objects.get().attempts == 0
    assert enter(browser, page, sent_code()).status_code == 303


def test_a_code_belongs_to_one_authorization_request(app, browser):
    first, second = (ask(browser, app.authorize(browser, state=state)) for state in ("one", "two"))
    code_of_first = sent_code(0)

    assert says(enter(browser, second, code_of_first), "wrong_code")
    assert oauth.members_of(enter(browser, first, code_of_first))["state"] == "one"


def test_the_second_factor_is_asked_for(app, browser, ada):
    codes = add(signed_in(ada), Authenticator()).json()["recovery_codes"]
    before = Session.objects.count()

    page = enter(browser, ask(browser, app.authorize(browser)), sent_code())
    assert says(page, "second_factor") and Session.objects.count() == before
    answer = oauth.submit(browser, page, method="recovery_code", code=codes[0])

    claims = id_token(app, answer)
    assert claims["amr"] == ["otp", "mfa"]


def test_a_wrong_code_is_said_and_another_one_can_be_sent(app, browser):
    page = ask(browser, app.authorize(browser))

    wrong = enter(browser, page, a_wrong_code())
    again = browser.post(PATH, oauth.fields_of(wrong) | {"again": "1"})

    assert (wrong.status_code, says(wrong, "wrong_code")) == (403, True)
    assert (again.status_code, len(recorded(REQUESTED)), EmailCode.objects.count()) == (200, 2, 1)
    assert says(enter(browser, again, sent_code(0)), "wrong_code")
    assert enter(browser, again, sent_code()).status_code == 303


@pytest.mark.parametrize("email", ["", "ada", "<script>@example.org"])
def test_an_address_is_needed_first(app, browser, email):
    page = ask(browser, app.authorize(browser), email)

    assert (page.status_code, says(page, "email_first")) == (400, True)
    assert b"<script>@" not in page.content and not recorded(REQUESTED)


def test_the_page_for_an_unknown_address_is_the_same(app, browser):
    pages = [ask(browser, app.authorize(browser), email) for email in ("ada@example.org", "bob@example.org")]

    texts = [page.content.decode().replace(oauth.fields_of(page)["request"], "") for page in pages]
    assert texts[0] == texts[1].replace("bob@", "ada@")
    assert says(enter(browser, pages[1], "00000000"), "wrong_code")


def test_a_limit_is_said(app, browser, settings):
    settings.EMAIL_SIGN_INS_PER_HOUR = 1
    page = app.authorize(browser)
    ask(browser, page)

    limited = ask(browser, page)

    assert (limited.status_code, says(limited, "too_many")) == (429, True)
    assert limited["Retry-After"]


def test_it_can_be_cancelled(app, browser):
    page = ask(browser, app.authorize(browser))

    cancelled = oauth.submit(browser, page, cancel="1")

    assert oauth.members_of(cancelled)["error"] == "access_denied"


def test_it_speaks_italian(app, browser):
    page = ask(browser, app.authorize(browser, ui_locales="it"))

    assert "Controlla la tua email" in page.content.decode()
    assert "Questo link vale solo" in follow(Client(), headers={"Accept-Language": "it"}).content.decode()


def test_an_identity_that_waits_is_linked_after_it(app, browser, fake, provider):
    type(provider).objects.update(creates_accounts=False)
    waiting = external_provider.sign_in(app, browser, fake)
    assert says(waiting, "external_sign_in_first")

    answer = enter(browser, ask(browser, waiting), sent_code())

    assert says(answer, "link")
