"""An admin acts as a user in the console: with a reason, under a banner, told to the user, and only to look."""

import pytest
from playwright.sync_api import expect

from evidence.harness.browser import browser, check_page, page_of
from evidence.harness.console import heading, newest_mail, sign_in

__all__ = ["browser"]


def act_as(page, stack, user):
    """Begin to act as a user on the page of that user."""
    page.goto(f"{stack.gateway}/#/users/{user['id']}")
    heading(page, "User")
    page.get_by_label("Reason").fill("ticket 4711")
    check_page(page, stack, "impersonation-begin")
    page.get_by_role("button", name="Act as this user").click()
    heading(page, "Profile")


@pytest.mark.parametrize("width", [390, 1280])
def test_an_admin_acts_as_a_user_and_stops(stack, browser, admins_email, width):
    user = stack.verified_user(name="Grace", surname="Hopper")
    with page_of(browser, size=(width, 1000), expected_statuses=(403,)) as page:
        sign_in(page, stack, admins_email)
        heading(page, "Profile")
        act_as(page, stack, user)

        banner = page.get_by_text("You act as Grace Hopper, and can change nothing.")
        expect(banner).to_be_visible()
        expect(page.get_by_label("Email")).to_have_value(user["email"])
        check_page(page, stack, f"impersonation-banner-{width}")
        page.get_by_label("First name").fill("Mallory")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("You act as this user: you may look, and change nothing.")).to_be_visible()
        page.reload()
        expect(banner).to_be_visible()
        expect(page.get_by_label("First name")).to_have_value("Grace")
        page.goto(f"{stack.gateway}/#/sessions")
        expect(page.get_by_text("support", exact=True)).to_be_visible()

        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_role("heading", level=1, name="Sign in")).to_be_visible()
        expect(banner).to_have_count(0)
    mail = newest_mail(stack, user["email"], "Support is looking at your account")
    assert "can change nothing" in stack.mail_text(mail)


def test_the_audit_log_says_who_and_why(stack, browser, admins_email):
    user = stack.verified_user()
    with page_of(browser) as page:
        sign_in(page, stack, admins_email)
        heading(page, "Profile")
        act_as(page, stack, user)

    path = f"/auth-ms/auth/audit-log?event=impersonation_started&user_id={user['id']}"
    token = stack.token_of(admins_email)
    [event] = stack.call("GET", path, token=token).json()["results"]
    admin = stack.call("GET", "/users-ms/users/me", token=token).json()
    assert (event["actor_id"], event["details"]) == (admin["id"], {"reason": "ticket 4711"})


def test_each_service_lets_the_admin_look_and_change_nothing(stack, admins_email):
    user = stack.verified_user()
    body = {"user_id": user["id"], "reason": "ticket 4711"}
    began = stack.call("POST", "/auth-ms/auth/impersonations", body, token=stack.token_of(admins_email))
    token = began.json()["access_token"]

    assert stack.call("GET", "/users-ms/users/me", token=token).json()["id"] == user["id"]
    assert stack.call("GET", "/notification-ms/notifications", token=token).status_code == 200
    assert stack.call("GET", "/auth-ms/auth/sessions", token=token).status_code == 200
    for method, path, body in (
        ("PATCH", f"/users-ms/users/{user['id']}", {"name": "Mallory"}),
        ("DELETE", f"/users-ms/users/{user['id']}", None),
        ("GET", "/users-ms/users/me/export", None),
        ("POST", "/users-ms/organisations", {"name": "Mallory"}),
        ("PUT", "/notification-ms/preferences", {}),
        ("GET", "/notification-ms/export", None),
        ("POST", "/auth-ms/auth/personal-tokens", {}),
        ("GET", "/auth-ms/auth/export", None),
    ):
        refused = stack.call(method, path, body, token=token)
        assert (refused.status_code, refused.json()["code"]) == (403, "impersonation_not_accepted"), path
    assert stack.call("POST", "/auth-ms/auth/logout", token=token).status_code == 204
    assert stack.call("GET", "/auth-ms/auth/sessions", token=token).status_code == 401
