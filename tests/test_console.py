"""The account console at the gateway's `/`, used as people use it: in a real browser."""

import re
import secrets
import time
from urllib.parse import urlsplit

import pyotp
import pytest
import requests
from playwright.sync_api import Page, expect

from chassis.tests.waiting import eventually
from tests.chromium import browser, page, page_of
from tests.conftest import PASSWORD

__all__ = ["browser", "page"]
NEW = "a longer staple of horses"


def heading(page: Page, name: str) -> None:
    expect(page.get_by_role("heading", level=1, name=name, exact=True)).to_be_focused()


def sign_in(page: Page, stack, email: str, password: str = PASSWORD) -> None:
    page.goto(f"{stack.gateway}/#/sign-in")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1, name="Sign in", exact=True)).to_be_visible()


def follow(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Account").get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_be_focused()


def newest_mail(stack, email: str, subject: str):
    return eventually(lambda: stack.mails(email, subject))[0]


def test_sign_up_confirm_change_and_delete(stack, page):
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

    page.goto(stack.mailed_page(newest_mail(stack, email, "Confirm your email address")))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("Your address is confirmed.")).to_be_visible()
    assert page.url.endswith("#/verify")  # the token is in no history
    page.get_by_role("link", name="To your profile").click()
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


def test_a_change_made_elsewhere_meanwhile_is_not_overwritten(stack, browser):
    user = stack.sign_up()
    with page_of(browser, refusals=(412,)) as page:
        sign_in(page, stack, user["email"])
        heading(page, "Profile")
        token = stack.log_in(user["email"]).json()["access_token"]
        url = f"{stack.users}/users-ms/users/{user['id']}"
        requests.patch(url, json={"surname": "Byron"}, headers={"Authorization": f"Bearer {token}"}, timeout=5)

        page.get_by_label("Surname").fill("King")
        page.get_by_role("button", name="Save").click()

        expect(page.get_by_role("alert")).to_contain_text("changed elsewhere")
        answer = requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=5)
        assert answer.json()["surname"] == "Byron"


def test_scripts_never_have_the_refresh_token_and_a_reload_keeps_the_session(stack, page):
    user = stack.sign_up()
    bodies = []
    page.on("response", lambda answer: bodies.append(answer) if "/auth-ms/auth/" in answer.url else None)
    sign_in(page, stack, user["email"])
    heading(page, "Profile")

    [cookie] = page.context.cookies(f"{stack.gateway}/auth-ms/auth/refresh")
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/auth-ms/auth/refresh")
    assert page.evaluate("document.cookie") == ""
    assert page.evaluate("Object.keys({...localStorage, ...sessionStorage}).sort()") == ["tessera.signed-in"]
    assert [answer.json()["refresh_token"] for answer in bodies] == [""]
    page.reload()
    heading(page, "Profile")
    [successor] = page.context.cookies(f"{stack.gateway}/auth-ms/auth/refresh")
    assert successor["value"] != cookie["value"]

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status")).to_have_text("You are signed out.")
    assert page.context.cookies(f"{stack.gateway}/auth-ms/auth/refresh") == []


def test_the_keyboard_alone_signs_in(stack, browser):
    user = stack.sign_up()
    with page_of(browser, refusals=(401,)) as page:
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


def test_a_forgotten_password_is_set_with_the_mailed_link(stack, page):
    user = stack.sign_up()
    page.goto(f"{stack.gateway}/#/sign-in")
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("Email").fill(user["email"])
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_text("a mail is on its way")).to_be_visible()

    page.goto(stack.mailed_page(newest_mail(stack, user["email"], "Set a new password")))
    page.get_by_label("New password").fill(NEW)
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_role("status")).to_contain_text("Your password is set.")

    sign_in(page, stack, user["email"], NEW)
    heading(page, "Profile")


def test_a_weak_password_is_explained_at_its_field(stack, browser):
    user = stack.sign_up()
    with page_of(browser, refusals=(400,)) as page:
        sign_in(page, stack, user["email"])
        heading(page, "Profile")
        follow(page, "Security")
        page.get_by_label("Current password").fill(PASSWORD)
        page.get_by_label("New password").fill("password")
        page.get_by_role("button", name="Change password").click()
        weak = page.get_by_label("New password")
        expect(weak).to_be_focused()
        expect(weak).to_have_attribute("aria-invalid", "true")
        expect(page.locator("#field-new_password-error")).to_contain_text("too common")

        weak.fill(NEW)
        page.get_by_role("button", name="Change password").click()
        expect(page.get_by_role("status")).to_have_text("Your password is changed.")
        assert stack.log_in(user["email"], NEW).status_code == 200


def test_a_second_factor_is_set_up_and_asked_for(stack, page):
    user = stack.sign_up()
    sign_in(page, stack, user["email"])
    heading(page, "Profile")
    follow(page, "Security")
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_role("img", name=re.compile("QR code"))).to_be_visible()
    app = pyotp.TOTP(page.locator("#totp-secret").inner_text())
    page.get_by_label("Code from your authenticator app").fill(app.now())
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_focused()
    codes = page.locator("#recovery-codes li").all_inner_texts()
    assert len(codes) == 10

    sign_out(page)
    sign_in(page, stack, user["email"])
    expect(page.get_by_label("Code from your authenticator app")).to_be_focused()
    page.get_by_text("I cannot use my authenticator app").click()
    page.get_by_label("Recovery code").fill(codes[0])
    page.get_by_role("button", name="Continue").last.click()
    heading(page, "Profile")
    follow(page, "Security")
    expect(page.get_by_text("9 left.")).to_be_visible()

    sign_out(page)
    sign_in(page, stack, user["email"])
    # A code counts once, and the present one was used to turn it on: its neighbour in time is accepted too.
    page.get_by_label("Code from your authenticator app").fill(app.at(int(time.time()) + 30))
    page.get_by_role("button", name="Continue").first.click()
    heading(page, "Profile")


def test_a_passkey_is_made_and_signs_in(stack, browser):
    address = urlsplit(stack.gateway)
    if address.hostname not in ("127.0.0.1", "localhost"):
        pytest.skip(f"passkeys are for localhost in this stack, not for {address.hostname}")
    here = f"http://localhost:{address.port}"
    user = stack.sign_up()
    with page_of(browser) as page:
        tools = page.context.new_cdp_session(page)
        tools.send("WebAuthn.enable")
        options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
        options |= {"isUserVerified": True, "automaticPresenceSimulation": True}
        tools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        page.goto(f"{here}/#/sign-in")
        page.get_by_label("Email").fill(user["email"])
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        heading(page, "Profile")
        follow(page, "Security")
        page.get_by_label("Name", exact=True).fill("my laptop")
        page.get_by_role("button", name="Add a passkey").click()
        expect(page.get_by_role("cell", name="my laptop", exact=True)).to_be_visible()
        page.get_by_role("button", name="Sign out").click()

        page.get_by_role("button", name="Sign in with a passkey").click()

        heading(page, "Profile")


def test_a_session_elsewhere_is_ended(stack, page):
    user = stack.sign_up()
    elsewhere = stack.log_in(user["email"]).json()
    sign_in(page, stack, user["email"])
    heading(page, "Profile")

    page.goto(
        stack.mailed_page(eventually(lambda: len(found := stack.mails(user["email"], "New sign-in")) > 1 and found)[-1])
    )
    heading(page, "Sessions")
    expect(page.get_by_text("from the mail")).to_be_visible()
    page.get_by_role("button", name=re.compile("End the session on python")).click()

    expect(page.get_by_role("status")).to_have_text("The session has ended.")
    url = f"{stack.auth}/auth-ms/auth/sessions"
    headers = {"Authorization": f"Bearer {elsewhere['access_token']}"}
    assert requests.get(url, headers=headers, timeout=5).status_code == 401


def test_notifications_are_shown_and_chosen(stack, page):
    user = stack.sign_up(phone="+390612345678")
    sign_in(page, stack, user["email"])
    heading(page, "Profile")
    newest_mail(stack, user["email"], "New sign-in")
    follow(page, "Notifications")
    expect(page.get_by_role("cell", name=user["email"]).first).to_be_visible()

    follow(page, "Preferences")
    sign_ins = page.get_by_role("group", name="Sign-in")
    expect(sign_ins.get_by_label("Email")).to_be_disabled()
    sign_ins.get_by_label("Text message").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Your preferences are saved.")
    page.reload()
    expect(page.get_by_role("group", name="Sign-in").get_by_label("Text message")).not_to_be_checked()


def test_an_admin_finds_a_user_and_gives_it_rights(stack, page, admins_email):
    surname = f"Zz{secrets.token_hex(6)}"
    for number in range(22):
        stack.sign_up(name=f"N{number}", surname=surname)
    sign_in(page, stack, admins_email)
    heading(page, "Profile")
    follow(page, "Users")
    page.get_by_label("Search").fill(surname.lower())
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("link", name=f"N0 {surname}")).to_be_visible()
    expect(page.get_by_role("row")).to_have_count(21)
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("row")).to_have_count(3)
    page.get_by_role("link", name=f"N21 {surname}").click()
    heading(page, "User")

    page.get_by_label("Scopes").fill("orders:read")
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("status")).to_have_text("Saved.")
    page.reload()
    expect(page.get_by_label("Scopes")).to_have_value("orders:read")


def test_an_admin_sends_a_dead_letter_again_and_reads_the_audit_log(stack, page, admins_email):
    with stack.mail_refused(550):
        user = stack.sign_up()
        sign_in(page, stack, admins_email)
        heading(page, "Profile")
        button = page.get_by_role("button", name=f"Send again: new_user_email_notification, {user['id']}")

        def dead():
            follow(page, "Users")
            follow(page, "Dead letters")
            expect(page.locator("[aria-busy]")).to_have_count(0)
            return button.count()

        eventually(dead)
    button.click()
    expect(page.get_by_role("status")).to_have_text("Sent again: 1.")
    newest_mail(stack, user["email"], "Welcome, Ada")

    follow(page, "Audit log")
    expect(page.get_by_role("cell", name="Sign-in").first).to_be_visible()
    stack.log_in(user["email"], "not the password")
    page.get_by_label("Number of the user").fill(str(user["id"]))
    page.get_by_label("Outcome").select_option("failure")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("row")).to_have_count(2)  # with the headings
    expect(page.get_by_role("cell", name="failure")).to_be_visible()
    page.get_by_label("Event").select_option("Old token used again")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text("Nothing here.")).to_be_visible()


def test_admin_pages_are_for_admins(stack, page):
    sign_in(page, stack, stack.sign_up()["email"])
    heading(page, "Profile")

    page.goto(f"{stack.gateway}/#/audit-log")

    heading(page, "Profile")
    expect(page.get_by_role("link", name="Audit log")).to_have_count(0)


def test_the_language_is_the_browsers_until_another_is_chosen_and_that_is_remembered(stack, browser):
    with page_of(browser, locale="it-IT") as page:
        page.goto(stack.gateway)
        expect(page.get_by_role("heading", level=1, name="Accedi")).to_be_visible()
        assert page.evaluate("document.documentElement.lang") == "it"
        page.get_by_label("Lingua").select_option("en")
        expect(page.get_by_role("heading", level=1, name="Sign in")).to_be_visible()
        page.reload()
        expect(page.get_by_role("heading", level=1, name="Sign in")).to_be_visible()
        assert page.evaluate("document.documentElement.lang") == "en"
