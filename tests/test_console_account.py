"""Address changes, phone verification, data export and activity in the account console."""

import json
import secrets

import requests
from playwright.sync_api import expect

from evidence.harness.browser import browser, page, page_of
from evidence.harness.console import follow, heading, newest_mail, sign_in
from evidence.harness.stack import a_phone
from evidence.harness.waiting import eventually

__all__ = ["browser", "page"]


def new_address():
    return f"new.{secrets.token_hex(8)}@example.org"


def ask_for(page, email):
    """Requests another address on the profile page."""
    page.get_by_label("Email").fill(email)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("The new address takes effect once it is confirmed")


def test_a_new_address_is_shown_as_pending_until_it_is_confirmed(stack, page):
    user, new = stack.verified_user(), new_address()
    sign_in(page, stack, user["email"])
    heading(page, "Profile")
    ask_for(page, new)
    expect(page.get_by_text(f"Your new address {new} takes effect once you confirm it")).to_be_visible()
    expect(page.get_by_label("Email")).to_have_value(user["email"])

    page.goto(stack.mailed_page(newest_mail(stack, new, "Confirm your email address")))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("Your address is confirmed.")).to_be_visible()
    page.get_by_role("link", name="To your profile").click()  # a change of address keeps the session

    heading(page, "Profile")
    expect(page.get_by_label("Email")).to_have_value(new)


def test_a_pending_address_is_cancelled(stack, page):
    user, new = stack.verified_user(), new_address()
    sign_in(page, stack, user["email"])
    heading(page, "Profile")
    ask_for(page, new)

    page.get_by_role("button", name="Keep the current address").click()

    expect(page.get_by_role("status")).to_have_text("Your address is unchanged.")
    expect(page.get_by_text(new)).to_have_count(0)
    me = stack.call("GET", "/users-ms/users/me", token=stack.token_of(user["email"])).json()
    assert me["pending_email"] == ""


def test_the_old_address_can_undo_a_change(stack, browser):
    user, new = stack.verified_user(), new_address()
    stolen = stack.token_of(user["email"])
    stack.call("PATCH", f"/users-ms/users/{user['id']}", {"email": new}, token=stolen).raise_for_status()
    stack.verify(new)
    with page_of(browser, expected_statuses=(401,)) as page:
        page.goto(stack.mailed_page(newest_mail(stack, user["email"], "A change of your email address")))
        heading(page, "Keep your old address")
        assert page.url.endswith("#/email/undo")  # the browser history has no token
        page.get_by_role("button", name="Undo the change").click()

        expect(page.get_by_text("Your old address is restored")).to_be_visible()
    assert stack.call("GET", "/auth-ms/auth/sessions", token=stolen).status_code == 401
    eventually(lambda: stack.mails(user["email"], "Set a new password"))


def test_a_phone_is_confirmed_with_a_code(stack, page):
    user, phone = stack.verified_user(), a_phone()
    sign_in(page, stack, user["email"])
    heading(page, "Profile")
    page.get_by_label("Phone").fill(phone)
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Send a code").click()
    expect(page.get_by_label("Code from the text message")).to_be_focused()

    page.get_by_label("Code from the text message").fill(stack.code_sent_to(phone))
    page.get_by_role("button", name="Confirm the phone").click()

    expect(page.get_by_role("status")).to_have_text("Your phone is confirmed.")
    expect(page.get_by_role("button", name="Send a code")).to_have_count(0)


def test_second_factors_need_a_confirmed_address_and_the_page_says_so(stack, page):
    user = stack.sign_up()
    sign_in(page, stack, user["email"])
    heading(page, "Profile")
    follow(page, "Security")

    expect(page.get_by_text("can be added once your email address is confirmed")).to_be_visible()
    expect(page.get_by_role("button", name="Set up")).to_have_count(0)
    page.get_by_role("button", name="Send the email again").click()
    expect(page.get_by_role("status")).to_have_text("An email is on its way.")
    eventually(lambda: len(stack.mails(user["email"], "Confirm your email address")) == 2)


def test_a_user_downloads_its_own_data(stack, page):
    user = stack.verified_user()
    sign_in(page, stack, user["email"])
    heading(page, "Profile")

    with page.expect_download() as started:
        page.get_by_role("button", name="Download").click()

    data = json.loads(started.value.path().read_text())
    assert data["users"]["user"]["email"] == user["email"]
    assert sorted(data) == ["auth", "notification", "users"]


def test_a_user_sees_its_accounts_security_events(stack, page, admin):
    user = stack.verified_user()
    stack.log_in(user["email"], "not the password")
    requests.patch(
        f"{stack.users}/users-ms/users/{user['id']}",
        json={"scopes": ["orders:read"]},
        headers={"Authorization": f"Bearer {admin['access_token']}"},
        timeout=60,
    ).raise_for_status()
    sign_in(page, stack, user["email"])
    heading(page, "Profile")
    follow(page, "Activity")

    expect(page.get_by_role("row").filter(has_text="Rights changed")).to_contain_text("an admin")
    expect(page.get_by_role("row").filter(has_text="failure")).to_contain_text("Sign-in")
