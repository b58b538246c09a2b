"""The gateway's pages in Debian's Chromium, driven by Playwright."""

import json

import pytest
from playwright.sync_api import expect

from evidence.harness.browser import browser, keep, page
from evidence.harness.stack import PASSWORD

__all__ = ["browser", "page"]


def test_try_it_out_signs_in_through_the_gateway(stack, page):
    user = stack.verified_user()
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


@pytest.mark.parametrize("service", ["users-ms", "auth-ms", "notification-ms"])
def test_each_services_docs_page_works_under_its_content_security_policy(stack, page, service):
    answer = page.goto(f"{stack.gateway}/{service}/docs")

    assert "script-src 'self';" in answer.headers["content-security-policy"]
    expect(page.locator(".info .title")).to_contain_text(service)
    expect(page.locator(".opblock").first).to_be_visible()


def test_an_injected_script_does_not_run_on_a_docs_page(stack, browser):
    page = browser.new_page()  # a page on which blocked scripts are no failure
    page.goto(f"{stack.gateway}/users-ms/docs")
    inject = "() => { const script = document.createElement('script'); script.textContent = 'window.ran = 1'; "

    assert page.evaluate(inject + "document.body.append(script); return window.ran ?? 'blocked' }") == "blocked"
    page.close()


def test_the_console_links_to_the_documentation(stack, page):
    page.goto(stack.gateway)

    page.get_by_role("link", name="The API").click()

    expect(page.locator(".swagger-ui .info .title")).to_be_visible()
