"""The account console at the gateway's `/`, used in a real browser."""

import secrets

import pytest
import requests
from playwright.sync_api import expect

from evidence.harness.browser import browser, page, page_of
from evidence.harness.console import follow, heading, newest_mail, sign_in
from evidence.harness.stack import PASSWORD, a_phone

__all__ = ["browser", "page"]


def test_sign_up_confirm_change_and_delete(stack, browser):
    with page_of(browser, expected_statuses=(401,)) as page:  # the verification of the address ends the session
        sign_up_confirm_change_and_delete(stack, page)


def sign_up_confirm_change_and_delete(stack, page):
    email = f"ada.{secrets.token_hex(8)}@example.org"
    page.goto(stack.gateway)
    page.get_by_role("link", name="Create an account").click()
    heading_text = page.get_by_role("heading", level=1, name="Create an account")
    expect(heading_text).to_be_visible()
    page.get_by_label("First name").fill("Ada")
    page.get_by_label("Surname").fill("Lovelace")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    heading(page, "Profile")
    expect(page.get_by_role("status")).to_contain_text("Your account is ready")

    expect(page.get_by_text("Your address is not confirmed yet.")).to_be_visible()
    page.goto(stack.mailed_page(newest_mail(stack, email, "Confirm your email address")))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("Your address is confirmed.")).to_contain_text("please sign in again")
    assert page.url.endswith("#/verify")  # the browser history has no token
    page.get_by_role("main").get_by_role("link", name="Sign in").click()
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    heading(page, "Profile")
    expect(page.get_by_text("Your address is not confirmed yet.")).not_to_be_visible()

    page.get_by_label("Surname").fill("King")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")

    page.get_by_role("button", name="Delete account").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_role("status")).to_have_text("Your account is deleted.")
    assert stack.log_in(email).status_code == 401


def test_a_concurrent_change_is_not_overwritten(stack, browser):
    user = stack.verified_user()
    with page_of(browser, expected_statuses=(412,)) as page:
        sign_in(page, stack, user["email"])
        heading(page, "Profile")
        token = stack.log_in(user["email"]).json()["access_token"]
        url = f"{stack.users}/users-ms/users/{user['id']}"
        requests.patch(url, json={"surname": "Byron"}, headers={"Authorization": f"Bearer {token}"}, timeout=60)

        page.get_by_label("Surname").fill("King")
        page.get_by_role("button", name="Save").click()

        expect(page.get_by_role("alert")).to_contain_text("changed elsewhere")
        answer = requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=60)
        assert answer.json()["surname"] == "Byron"


def test_the_keyboard_alone_signs_in(stack, browser):
    user = stack.verified_user()
    with page_of(browser, expected_statuses=(401,)) as page:
        page.goto(stack.gateway)
        expect(page.get_by_label("Email")).to_be_focused()
        page.keyboard.type(user["email"])
        page.keyboard.press("Tab")
        page.keyboard.type("not the password")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("The username or the password is wrong.")
        expect(page.get_by_label("Password")).to_be_focused()
        page.keyboard.press("Control+A")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_focused()
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        heading(page, "Profile")
        page.goto(f"{stack.gateway}/#/sessions")
        heading(page, "Sessions")
        page.evaluate("document.activeElement.blur(); getSelection().removeAllRanges()")
        page.reload()
        heading(page, "Sessions")


def test_notifications_are_listed_and_preferences_saved(stack, page):
    user = stack.verified_user(phone=a_phone())
    sign_in(page, stack, user["email"])
    heading(page, "Profile")
    newest_mail(stack, user["email"], "New sign-in")
    follow(page, "Notifications")
    expect(page.get_by_role("cell", name=user["email"]).first).to_be_visible()

    follow(page, "Preferences")
    sign_ins = page.get_by_role("group", name="Sign-in", exact=True)
    expect(sign_ins.get_by_label("Email")).to_be_disabled()
    sign_ins.get_by_label("Text message").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Your preferences are saved.")
    page.reload()
    expect(page.get_by_role("group", name="Sign-in", exact=True).get_by_label("Text message")).not_to_be_checked()


def test_the_language_defaults_to_the_browsers_and_a_choice_is_remembered(stack, browser):
    with page_of(browser, locale="it-IT") as page:
        page.goto(stack.gateway)
        expect(page.get_by_role("heading", level=1, name="Accedi")).to_be_visible()
        assert page.evaluate("document.documentElement.lang") == "it"
        page.get_by_label("Lingua").select_option("en")
        expect(page.get_by_role("heading", level=1, name="Sign in")).to_be_visible()
        page.reload()
        expect(page.get_by_role("heading", level=1, name="Sign in")).to_be_visible()
        assert page.evaluate("document.documentElement.lang") == "en"


@pytest.mark.parametrize("language", ["en", "it"])
def test_where_sign_up_is_off_it_is_not_offered(stack, browser, language):
    """The policy alone is replaced: the stack of the tests has the default. Its refusals: users/test_sign_up_policy."""
    link, text = {
        "en": ("Create an account", "Ask your administrator for one."),
        "it": ("Crea un account", "Chiedilo al tuo amministratore."),
    }[language]
    with page_of(browser) as page:
        page.goto(stack.gateway)
        page.get_by_label("Language").select_option(language)
        expect(page.get_by_role("link", name=link)).to_be_visible()
        page.route("**/users-ms/sign-up", lambda route: route.fulfill(json={"policy": "off"}))
        with page.expect_response("**/users-ms/sign-up"):
            page.reload()
        expect(page.get_by_label("Email")).to_be_visible()
        expect(page.get_by_role("link", name=link)).not_to_be_visible()

        page.goto(f"{stack.gateway}/#/sign-up")
        expect(page.get_by_text(text)).to_be_visible()
        expect(page.get_by_label("Email")).not_to_be_visible()


def test_where_a_verified_address_is_required_a_sign_up_ends_at_the_mailbox(stack, browser):
    """The refusal alone is replaced: the stack of the tests has the default."""
    email = f"ada.{secrets.token_hex(8)}@example.org"
    refusal = {"title": "Email not verified", "status": 403, "code": "email_verification_required"}
    with page_of(browser, expected_statuses=(403,)) as page:
        page.route("**/auth-ms/auth/login", lambda route: route.fulfill(status=403, json=refusal))
        page.goto(f"{stack.gateway}/#/sign-up")
        page.get_by_label("First name").fill("Ada")
        page.get_by_label("Surname").fill("Lovelace")
        page.get_by_label("Email").fill(email)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Create account").click()
        expect(page.get_by_text("Check your mailbox")).to_be_visible()

        sign_in(page, stack, email)
        expect(page.get_by_role("alert")).to_contain_text("Confirm your email address first")


def test_a_user_prefers_a_notice_of_every_sign_in(stack, page):
    """That it may choose is replaced in the answer: the stack of the tests tells of all, for tests that count mails."""
    sign_in(page, stack, stack.verified_user()["email"])
    heading(page, "Profile")
    follow(page, "Preferences")
    every = page.get_by_role("group", name="Sign-in", exact=True).get_by_label("Every sign-in")
    expect(every).to_be_checked()
    expect(every).to_be_disabled()

    def answer(route):
        value = route.fetch().json() | {"login_notices": "new_devices", "login_notices_can_be_changed": True}
        route.fulfill(json=value)

    page.route("**/notification-ms/preferences", answer)
    page.reload()
    expect(every).not_to_be_checked()
    every.check()
    with page.expect_request(lambda request: request.method == "PUT") as sent:
        page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Your preferences are saved.")
    assert sent.value.post_data_json["login_notices"] == "all"
