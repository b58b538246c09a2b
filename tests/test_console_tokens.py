"""Personal access tokens in the console: made by a user, shown once, used, revoked; seen and revoked by an admin."""

import re

import pytest
from playwright.sync_api import expect

from evidence.harness.browser import browser, check_page, page_of
from evidence.harness.console import heading, sign_in

__all__ = ["browser"]


def make_token(page, name):
    """The text of a new token."""
    card = page.locator("section").filter(has=page.get_by_role("heading", name="Personal access tokens"))
    card.get_by_label("Name").fill(name)
    card.get_by_label("Valid for").select_option("7")
    card.get_by_role("button", name="Make a token").click()
    expect(page.get_by_text("Copy the token now")).to_be_focused()
    return page.locator("#personal-token").inner_text()


@pytest.mark.parametrize("width", [390, 1280])
def test_a_token_is_made_shown_once_and_revoked(stack, browser, width):
    user = stack.verified_user()
    with page_of(browser, size=(width, 1000)) as page:
        sign_in(page, stack, user["email"])
        heading(page, "Profile")
        page.goto(f"{stack.gateway}/#/security")
        heading(page, "Security")
        token = make_token(page, "nightly report")
        check_page(page, stack, f"tokens-made-{width}")

        mine = stack.call("GET", "/users-ms/users/me", token=token)
        assert (mine.status_code, mine.json()["id"]) == (200, user["id"])
        assert stack.call("GET", "/notification-ms/notifications", token=token).status_code == 200
        assert stack.call("GET", "/auth-ms/auth/sessions", token=token).status_code == 200
        assert stack.call("POST", "/auth-ms/auth/logout", token=token).status_code == 403

        page.reload()
        heading(page, "Security")
        expect(page.get_by_role("cell").filter(has_text="nightly report")).to_be_visible()
        assert token not in page.content()
        page.get_by_role("button", name="Revoke the token nightly report").click()
        page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        expect(page.get_by_role("status")).to_have_text("The token is revoked.")
    assert stack.call("GET", "/users-ms/users/me", token=token).status_code == 401
    assert stack.call("GET", "/notification-ms/notifications", token=token).status_code == 401


def test_an_admin_revokes_the_token_of_a_user(stack, admins_email, browser):
    user = stack.verified_user()
    body = {"name": "nightly report", "scopes": ["read"], "expires_in_days": 7}
    made = stack.call("POST", "/auth-ms/auth/personal-tokens", body, token=stack.token_of(user["email"]))
    token = made.json()["token"]
    with page_of(browser) as page:
        sign_in(page, stack, admins_email)
        heading(page, "Profile")
        page.goto(f"{stack.gateway}/#/users/{user['id']}")
        page.get_by_role("button", name=re.compile("Revoke the token")).click()
        page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        expect(page.get_by_role("status")).to_have_text("The token is revoked.")
    assert stack.call("GET", "/users-ms/users/me", token=token).status_code == 401
