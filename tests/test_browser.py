"""The pages of the gateway, in a real browser: Debian's Chromium, driven by Playwright."""

import json
import os
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.conftest import PASSWORD

QUIET = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="module")
def browser():
    # As root Chromium has no sandbox; it sees nothing here but the project's own pages.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=[*QUIET, *sandbox])
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """A page of 1280 x 1400 pixels, on which no script may fail."""
    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    page = context.new_page()
    failures = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on("console", lambda message: failures.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert failures == []


def keep(page: Page, stack, name: str) -> None:
    """A picture of what the page shows, beside the logs of the stack."""
    folder = Path(stack.directory) / "screenshots"
    folder.mkdir(exist_ok=True)
    page.screenshot(path=folder / f"{name}.png")


def test_try_it_out_signs_in_through_the_gateway(stack, page):
    user = stack.sign_up()
    page.goto(f"{stack.gateway}/docs")
    page.locator("#select").select_option(label="auth-ms")
    operation = page.locator("#operations-sign-in-login")
    operation.get_by_role("button").first.click()
    operation.get_by_role("button", name="Try it out").click()
    operation.locator("textarea").fill(json.dumps({"username": user["email"], "password": PASSWORD}))

    operation.get_by_role("button", name="Execute").click()

    answer = operation.locator(".live-responses-table")
    expect(answer.locator(".response-col_status").nth(1)).to_contain_text("200")
    expect(answer).to_contain_text("access_token")
    answer.scroll_into_view_if_needed()
    keep(page, stack, "swagger-ui-login")


@pytest.mark.parametrize("service", ["users-ms", "auth-ms", "notification-ms"])
def test_one_page_shows_each_service(stack, page, service):
    page.goto(f"{stack.gateway}/docs")

    page.locator("#select").select_option(label=service)

    expect(page.locator(".info .title")).to_contain_text(service)
    expect(page.locator(".opblock").first).to_be_visible()


def test_the_start_page_leads_to_the_documentation(stack, page):
    page.goto(stack.gateway)
    keep(page, stack, "start")

    page.get_by_role("link", name="The API").click()

    expect(page.locator(".swagger-ui .info .title")).to_be_visible()
