"""Webhooks in the console: added, tested and deleted by an admin."""

import pytest
from playwright.sync_api import expect

from evidence.harness.browser import browser, page
from evidence.harness.console import follow, heading, sign_in
from evidence.harness.local_processes import need_private_addresses
from evidence.harness.local_server import QuietHandler, serving
from evidence.harness.waiting import eventually

__all__ = ["browser", "page"]


@pytest.fixture
def product(stack):
    """The address of a receiver that accepts everything."""
    need_private_addresses(stack)

    class Handler(QuietHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()

    with serving(Handler) as address:
        yield f"{address}/hooks"


def test_an_admin_adds_tests_changes_and_deletes_a_webhook(stack, page, admins_email, product):
    sign_in(page, stack, admins_email)
    heading(page, "Profile")
    follow(page, "Webhooks")
    page.get_by_role("link", name="Add a webhook").click()
    heading(page, "Add a webhook")
    page.get_by_label("URL", exact=True).fill(product)
    page.get_by_label("Description").fill("the shop")
    page.get_by_label("user_deleted").check()
    page.get_by_role("button", name="Add a webhook").click()

    expect(page.get_by_role("heading", name="Secret")).to_be_focused()
    assert page.locator("#webhook-secret").inner_text().startswith("whsec_")
    page.get_by_role("link", name=f"Open {product}").click()
    heading(page, "Webhook")
    expect(page.get_by_label("user_deleted")).to_be_checked()

    page.get_by_role("button", name="Send a test event").click()
    row = page.get_by_role("row").filter(has_text="webhook_test")
    refresh = page.get_by_role("button", name="Refresh")

    def is_accepted():
        refresh.click()
        return row.filter(has_text="accepted").count() == 1

    eventually(is_accepted)
    page.get_by_label("Enabled").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("disabled", exact=True)).to_be_visible()

    page.get_by_role("button", name="Delete webhook").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete webhook").click()
    heading(page, "Webhooks")
    expect(page.get_by_role("link", name=product)).to_have_count(0)
    expect(page.get_by_role("row").filter(has_text=product).filter(has_text="deleted")).to_be_visible()
