"""What people do again and again in the account console."""

from playwright.sync_api import Page, expect

from evidence.harness.stack import PASSWORD
from evidence.harness.waiting import eventually


def heading(page: Page, name: str) -> None:
    """Waits until a page has this heading, and the focus there."""
    expect(page.get_by_role("heading", level=1, name=name, exact=True)).to_be_focused()


def sign_in(page: Page, stack, email: str, password: str = PASSWORD) -> None:
    """Goes to the first page and signs in; what comes then is the caller's to look at."""
    page.goto(f"{stack.gateway}/#/sign-in")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def sign_out(page: Page) -> None:
    """Signs out, and waits for the page that asks to sign in."""
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1, name="Sign in", exact=True)).to_be_visible()


def follow(page: Page, name: str) -> None:
    """Goes to another page of the menu."""
    page.get_by_role("navigation", name="Account").get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_be_focused()


def newest_mail(stack, email: str, subject: str):
    """The newest mail to an address, once it has come."""
    return eventually(lambda: stack.mails(email, subject))[0]
