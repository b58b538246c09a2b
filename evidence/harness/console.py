"""Steps in the account console that several tests take."""

from typing import Any

from playwright.sync_api import Page, expect

from evidence.harness.stack import PASSWORD, Stack
from evidence.harness.waiting import eventually


def heading(page: Page, name: str) -> None:
    """Wait until the page has this heading and it has the focus."""
    expect(page.get_by_role("heading", level=1, name=name, exact=True)).to_be_focused()


def sign_in(page: Page, stack: Stack, email: str, password: str = PASSWORD, *, at: str = "") -> None:
    """Go to the first page, at the gateway or at another address of it, and submit the sign-in form."""
    page.goto(f"{at or stack.gateway}/#/sign-in")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def sign_out(page: Page) -> None:
    """Sign out, and wait for the sign-in page."""
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1, name="Sign in", exact=True)).to_be_visible()


def follow(page: Page, name: str) -> None:
    """Follow a link of the menu."""
    page.get_by_role("navigation", name="Account").get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_be_focused()


def virtual_authenticator(page: Page) -> None:
    """Give the page's browser an authenticator of its own, which verifies its user and needs no touch."""
    tools = page.context.new_cdp_session(page)
    tools.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    options |= {"isUserVerified": True, "automaticPresenceSimulation": True}
    tools.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def add_passkey(page: Page, name: str) -> None:
    """Add a passkey on the page about security, and wait until it is listed."""
    follow(page, "Security")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("cell", name=name, exact=True)).to_be_visible()


def newest_mail(stack: Stack, email: str, subject: str) -> dict[str, Any]:
    """The newest mail to an address; waits for it."""
    return dict(eventually(lambda: stack.mails(email, subject))[0])
