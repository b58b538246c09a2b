"""Passwords, second factors, passkeys and sessions in the account console."""

import re
import time
from urllib.parse import urlsplit

import pyotp
import pytest
import requests
from playwright.sync_api import expect

from evidence.harness.browser import browser, page, page_of
from evidence.harness.console import (
    add_passkey,
    follow,
    heading,
    newest_mail,
    sign_in,
    sign_out,
    virtual_authenticator,
)
from evidence.harness.stack import PASSWORD
from evidence.harness.waiting import eventually

__all__ = ["browser", "page"]
NEW = "a longer staple of horses"


def refresh_cookie(page, stack):
    """The cookie with the refresh token; beside it is only the one that names the session to the provider's pages."""
    cookies = {each["name"]: each for each in page.context.cookies(f"{stack.gateway}/auth-ms/auth/refresh")}
    assert sorted(cookies) == ["oauth_session", "refresh_token"]
    return cookies["refresh_token"]


def test_scripts_never_have_the_refresh_token_and_a_reload_keeps_the_session(stack, page):
    user = stack.verified_user()
    bodies = []
    page.on("response", lambda answer: bodies.append(answer) if "/auth-ms/auth/login" in answer.url else None)
    sign_in(page, stack, user["email"])
    heading(page, "Profile")

    cookie = refresh_cookie(page, stack)
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/auth-ms/auth/refresh")
    assert page.evaluate("document.cookie") == ""
    assert page.evaluate("Object.keys({...localStorage, ...sessionStorage}).sort()") == ["tessera.signed-in"]
    assert [answer.json()["refresh_token"] for answer in bodies] == [""]
    page.reload()
    heading(page, "Profile")
    successor = refresh_cookie(page, stack)
    assert successor["value"] != cookie["value"]

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status")).to_have_text("You are signed out.")
    assert page.context.cookies(f"{stack.gateway}/auth-ms/auth/refresh") == []


def test_a_forgotten_password_is_reset_with_the_emailed_link(stack, page):
    user = stack.verified_user()
    page.goto(f"{stack.gateway}/#/sign-in")
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("Email").fill(user["email"])
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_text("an email is on its way")).to_be_visible()

    page.goto(stack.mailed_page(newest_mail(stack, user["email"], "Set a new password")))
    page.get_by_label("New password").fill(NEW)
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_role("status")).to_contain_text("Your password is set.")

    sign_in(page, stack, user["email"], NEW)
    heading(page, "Profile")


def test_a_weak_password_is_explained_at_the_field(stack, browser):
    user = stack.verified_user()
    with page_of(browser, expected_statuses=(400,)) as page:
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


def test_a_second_factor_is_set_up_and_required(stack, page):
    user = stack.verified_user()
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
    # A code works once, and the current one was used to turn it on; the next one is accepted too.
    page.get_by_label("Code from your authenticator app").fill(app.at(int(time.time()) + 30))
    page.get_by_role("button", name="Continue").first.click()
    heading(page, "Profile")


def test_a_passkey_is_created_and_signs_in(stack, browser):
    address = urlsplit(stack.gateway)
    if address.hostname not in ("127.0.0.1", "localhost"):
        pytest.skip(f"passkeys are for localhost in this stack, not for {address.hostname}")
    here = f"http://localhost:{address.port}"
    user = stack.verified_user()
    with page_of(browser) as page:
        virtual_authenticator(page)
        sign_in(page, stack, user["email"], at=here)
        heading(page, "Profile")
        add_passkey(page, "my laptop")
        page.get_by_role("button", name="Sign out").click()

        page.get_by_role("button", name="Sign in with a passkey").click()

        heading(page, "Profile")


def test_another_session_is_ended(stack, page):
    user = stack.verified_user()
    elsewhere = stack.log_in(user["email"]).json()
    sign_in(page, stack, user["email"])
    heading(page, "Profile")

    page.goto(
        stack.mailed_page(eventually(lambda: len(found := stack.mails(user["email"], "New sign-in")) > 1 and found)[-1])
    )
    heading(page, "Sessions")
    expect(page.get_by_text("from the email")).to_be_visible()
    page.get_by_role("button", name=re.compile("End the session on python")).click()

    expect(page.get_by_role("status")).to_have_text("The session has ended.")
    url = f"{stack.auth}/auth-ms/auth/sessions"
    headers = {"Authorization": f"Bearer {elsewhere['access_token']}"}
    assert requests.get(url, headers=headers, timeout=60).status_code == 401


def test_only_offered_factors_can_be_added(stack, page):
    """What is offered is replaced in the answer: the stack of the tests offers all. See auth/test_offered_factors."""

    def answer(route):
        route.fulfill(json=route.fetch().json() | {"offered": ["passkeys"]})

    page.route("**/auth-ms/auth/mfa", answer)
    sign_in(page, stack, stack.verified_user()["email"])
    heading(page, "Profile")
    follow(page, "Security")
    expect(page.get_by_role("heading", name="Passkeys")).to_be_visible()
    expect(page.get_by_role("heading", name="Authenticator app")).not_to_be_visible()


def test_a_required_second_factor_is_added_at_sign_in(stack, browser):
    """The answers that ask for it are made up: the stack of the tests requires none."""
    user, asked = stack.verified_user(), []
    totp = {"secret": "A" * 32, "uri": "otpauth://totp/Tessera", "qr_code": ["10", "01"]}
    log_in = f"{stack.gateway}/auth-ms/auth/login"

    def complete(route):
        asked.append(route.request.post_data_json)
        answer = route.fetch(url=log_in, post_data={"username": user["email"], "password": PASSWORD})
        route.fulfill(response=answer, json=answer.json() | {"recovery_codes": ["mzxw-6ytb-oi4d-qmjr"]})

    with page_of(browser, expected_statuses=(400,)) as page:
        needed = {"enrolment_required": True, "enrolment_token": "t" * 43, "factors": ["totp"], "expires_in": 900}
        page.route("**/auth-ms/auth/login", lambda route: route.fulfill(json=needed))
        wrong = {"status": 400, "errors": {"code": ["This code is wrong or was already used."]}}
        page.route("**/auth-ms/auth/login/enrolment", lambda route: route.fulfill(status=400, json=wrong))
        page.route("**/auth-ms/auth/login/enrolment/complete", complete)
        sign_in(page, stack, user["email"])
        page.get_by_label("Code of the email").fill("000000")
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_text("This code is wrong or was already used.")).to_be_visible()
        page.route("**/auth-ms/auth/login/enrolment", lambda route: route.fulfill(json={"totp": totp, "passkey": None}))
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("img", name="QR code")).to_be_visible()
        page.get_by_label("Code from your authenticator app").fill("492039")
        page.get_by_role("button", name="Turn on").click()
        expect(page.get_by_text("mzxw-6ytb-oi4d-qmjr")).to_be_visible()
        page.get_by_role("button", name="I have kept them. Continue").click()
        heading(page, "Profile")

    assert asked == [{"enrolment_token": "t" * 43, "factor": "totp", "code": "492039"}]
