"""Other providers in a real browser: on the console and on the sign-in pages. The stack is its own provider here, whose
users are other accounts."""

import re

import pytest
from playwright.sync_api import expect

from evidence.harness import console
from evidence.harness.browser import browser, check_page, page_of
from evidence.harness.local_processes import need_private_addresses
from evidence.harness.stack import PASSWORD

__all__ = ["browser"]


@pytest.fixture
def provider(stack, admin):
    """The name of a provider: this stack once more."""
    need_private_addresses(stack)
    public = f"http://localhost:{stack.gateway.rpartition(':')[2]}"
    slug, token = "the-same", admin["access_token"]
    callback = f"{public}/auth-ms/oauth/external/{slug}/callback"
    members = {"name": "Itself", "redirect_uris": [callback], "scopes": ["openid", "email", "profile"]}
    client = stack.call("POST", "/auth-ms/clients", members | {"first_party": True}, token=token).json()
    body = {"slug": slug, "name": "The Same", "issuer": public}
    body |= {name: client[name] for name in ("client_id", "client_secret")}
    answer = stack.call("POST", "/auth-ms/external-providers", body, token=token)
    assert answer.status_code in (201, 409), answer.text  # it stays after a test, with the identities
    for enabled in (True, False):
        answer = stack.call("PUT", f"/auth-ms/external-providers/{slug}", body | {"enabled": enabled}, token=token)
        assert answer.status_code == 200, answer.text
        if enabled:
            yield public


def sign_in_on_the_page(page, email):
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


@pytest.mark.parametrize("width", [390, 1280])
def test_a_sign_in_is_linked_used_and_unlinked_in_the_console(stack, admin, browser, provider, width):
    here, there = stack.verified_user(), stack.verified_user()
    with page_of(browser, size=(width, 1000), expected_statuses=(401,)) as page:
        page.goto(f"{provider}/#/sign-in")
        expect(page.get_by_role("button", name="Continue with The Same")).to_be_visible()
        check_page(page, stack, f"external-console-{width}")
        page.get_by_role("button", name="Continue with The Same").click()
        page.wait_for_url(f"{provider}/auth-ms/oauth/authorize*")
        check_page(page, stack, f"external-sign-in-page-{width}")
        sign_in_on_the_page(page, there["email"])
        expect(page.get_by_text("This sign-in has no account yet")).to_be_visible()
        check_page(page, stack, f"external-sign-in-first-{width}")
        sign_in_on_the_page(page, here["email"])
        expect(page.get_by_role("heading", name="Link this sign-in?")).to_be_visible()
        check_page(page, stack, f"external-link-{width}")
        page.get_by_role("button", name="Link", exact=True).click()
        console.heading(page, "Profile")
        expect(page.get_by_label("Email")).to_have_value(here["email"])

    with page_of(browser, expected_statuses=(401,)) as page:
        page.goto(f"{provider}/#/sign-in")
        page.get_by_role("button", name="Continue with The Same").click()
        sign_in_on_the_page(page, there["email"])
        console.heading(page, "Profile")
        expect(page.get_by_label("Email")).to_have_value(here["email"])
        console.follow(page, "Security")
        expect(page.get_by_role("cell", name=there["email"], exact=True)).to_be_visible()
        check_page(page, stack, f"external-security-{width}")
        page.get_by_role("button", name=f"Unlink The Same {there['email']}").click()
        page.get_by_role("dialog").get_by_role("button", name="Unlink").click()
        expect(page.get_by_role("status")).to_have_text("The sign-in is unlinked.")
        expect(page.get_by_role("cell", name=there["email"], exact=True)).to_have_count(0)


def test_an_admin_adds_changes_disables_and_deletes_a_provider(stack, browser, provider, admin, admins_email):
    with page_of(browser, expected_statuses=(400, 409)) as page:
        console.sign_in(page, stack, admins_email, at=provider)
        console.heading(page, "Profile")
        console.follow(page, "Other providers")
        expect(page.get_by_role("cell", name="The Same", exact=True)).to_be_visible()
        page.get_by_role("link", name="Add a provider: GitHub").click()
        console.heading(page, "Add a provider")
        expect(page.get_by_label("Issuer")).to_have_value("https://github.com")
        page.get_by_label("Client ID").fill("of Tessera")
        page.get_by_role("button", name="Add a provider").click()
        expect(page.get_by_label("Client secret")).to_be_focused()  # which is missing
        page.get_by_label("Client secret").fill("a-secret-of-github")
        page.get_by_role("button", name="Add a provider").click()

        console.heading(page, "Provider")
        expect(page.get_by_text("/auth-ms/oauth/external/github/callback", exact=False)).to_be_visible()
        expect(page.get_by_label("Scopes")).to_have_value("user:email")
        expect(page.get_by_label("Client secret")).to_have_value("")
        assert "a-secret-of-github" not in page.content()
        check_page(page, stack, "external-provider")
        page.get_by_label("Name", exact=True).fill("Our GitHub")
        page.get_by_label("Users may sign in with it").uncheck()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("status")).to_have_text("Saved.")
        stored = stack.call("GET", "/auth-ms/external-providers/github", token=admin["access_token"]).json()
        assert (stored["name"], stored["enabled"], stored["kind"]) == ("Our GitHub", False, "github")

        page.get_by_role("button", name="Delete provider").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete provider").click()
        console.heading(page, "Other providers")
        expect(page.get_by_role("cell", name="Our GitHub", exact=True)).to_have_count(0)
        page.get_by_role("link", name="Add a provider: Apple").click()
        for label in ("Identifier of the Services ID", "Team ID", "Key ID", "Private key"):
            page.get_by_label(label).fill("no key")
        page.get_by_role("button", name="Add a provider").click()
        key = page.get_by_label("Private key")
        expect(key).to_be_focused()
        expect(key).to_have_accessible_description(re.compile("Must be a private key for ES256, in PEM"))
