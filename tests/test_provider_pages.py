"""The provider's pages in a real browser: a sign-in with consent, and a logout that loads the application's frame."""

import base64
import json
import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from playwright.sync_api import expect

from evidence.harness import console
from evidence.harness.browser import browser, check_page, keep, page_of
from evidence.harness.local_server import QuietHandler, serving
from evidence.harness.stack import PASSWORD

__all__ = ["browser"]


@pytest.fixture
def application():
    """A server that shows a page at every address: its own address, and the paths that were visited."""
    visited = []

    class Handler(QuietHandler):
        def do_GET(self):
            visited.append(self.path)
            body = b"<!doctype html><html lang=en><title>Orders</title><link rel=icon href=data:,><h1>Orders</h1>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with serving(Handler) as address:
        yield address, visited


def register(stack, admin, **members):
    """A new client, as the API answers, and the address at which it sends its users to sign in."""
    members = {"name": "Orders", "require_pkce": False, "scopes": ["openid", "email", "orders:read"]} | members
    client = stack.call("POST", "/auth-ms/clients", members, token=admin["access_token"]).json()
    query = {"client_id": client["client_id"], "response_type": "code", "scope": " ".join(members["scopes"])}
    query |= {"redirect_uri": members["redirect_uris"][0], "nonce": "a-nonce"}
    return client, f"{stack.gateway}/auth-ms/oauth/authorize?{urlencode(query)}"


def check(page, stack, name):
    """No violation of axe-core's rules, and nothing wider than the window or the card."""
    assert page.locator("main").evaluate("(each) => each.scrollWidth - each.clientWidth") <= 0, name
    check_page(page, stack, f"provider-{name}")


def test_a_sign_in_at_the_console_or_on_the_pages_is_one_for_both_and_so_is_its_end(stack, admin, browser, application):
    address, _ = application
    user, other = stack.verified_user(), stack.verified_user()
    members = {"redirect_uris": [f"{address}/callback"], "first_party": True, "scopes": ["openid"]}
    _, authorize = register(stack, admin, **members)

    def sign_in_on_the_page(page, email):
        page.get_by_label("Email").fill(email)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.wait_for_url(f"{address}/callback?code=*")

    with page_of(browser, expected_statuses=(401,)) as page:
        console.sign_in(page, stack, user["email"])
        console.heading(page, "Profile")
        page.goto(authorize)
        page.wait_for_url(f"{address}/callback?code=*")  # no password was asked for

        page.goto(f"{stack.gateway}/auth-ms/oauth/end-session")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_text("You are signed out.")).to_be_visible()
        page.goto(f"{stack.gateway}/#/profile")
        expect(page.get_by_role("heading", level=1, name="Sign in", exact=True)).to_be_visible()

        page.goto(authorize)
        sign_in_on_the_page(page, user["email"])
        page.goto(f"{stack.gateway}/#/profile")
        console.heading(page, "Profile")
        expect(page.get_by_label("Email")).to_have_value(user["email"])

        elsewhere = page.context.new_page()  # where somebody else signs in while the console is open
        page.clock.install()
        elsewhere.goto(f"{authorize}&prompt=login")
        sign_in_on_the_page(elsewhere, other["email"])
        page.clock.fast_forward("10:00")
        console.follow(page, "Sessions")
        console.heading(page, "Sessions")  # drawn after the page was loaded again, for the other user
        console.follow(page, "Profile")
        expect(page.get_by_label("Email")).to_have_value(other["email"])

        console.sign_out(page)
        page.goto(authorize)
        expect(page.get_by_label("Password")).to_be_visible()


@pytest.mark.parametrize(("width", "language"), [(390, "it-IT"), (1280, "en-GB")])
def test_the_link_of_the_mail_fills_in_the_code_in_the_browser_that_asked(
    stack, admin, browser, application, width, language
):
    address, _ = application
    user, italian = stack.verified_user(), language == "it-IT"
    members = {"redirect_uris": [f"{address}/callback"], "first_party": True, "scopes": ["openid"]}
    _, authorize = register(stack, admin, **members)

    with page_of(browser, size=(width, 800), locale=language) as page:
        page.goto(authorize)
        page.get_by_label("Email").fill(user["email"])
        page.get_by_role("button", name="Inviami un codice" if italian else "Send me a code").click()
        expect(page.get_by_role("heading", name="Controlla la tua email" if italian else "Check your")).to_be_visible()
        check(page, stack, f"email-code-{width}")
        mail = stack.mail_text(console.newest_mail(stack, user["email"], "code to sign in"))
        [(where, code)] = re.findall(r"https?://[^/\s]+(/auth-ms/oauth/email)#(\d{8})\s", mail)

        opened = page.context.new_page() if italian else page  # by the mail program, or in the same tab
        opened.goto(f"{stack.gateway}{where}#{code}")
        expect(opened.get_by_label("Codice" if italian else "Code")).to_have_value(code)
        assert opened.url == f"{stack.gateway}{where}"  # the code stays in no history
        opened.keyboard.press("Enter")  # the button has the focus
        opened.wait_for_url(f"{address}/callback?code=*")
        page.goto(f"{stack.gateway}/#/profile")  # the console shares the session
        expect(page.get_by_label("Email")).to_have_value(user["email"])

    with page_of(browser, size=(width, 800), locale=language, expected_statuses=(400,)) as page:
        page.goto(f"{stack.gateway}{where}#{code}")
        expect(page.get_by_role("alert")).to_contain_text("browser")
        check(page, stack, f"email-elsewhere-{width}")


@pytest.mark.parametrize(("width", "theme"), [(390, "dark"), (1280, "light")])
def test_a_user_signs_in_consents_and_logs_out_of_the_application_too(stack, admin, browser, application, width, theme):
    address, visited = application
    user = stack.verified_user(email=f"{'long' * 14}{width}@example.org")
    client, url = register(
        stack,
        admin,
        redirect_uris=[f"{address}/callback"],
        post_logout_redirect_uris=[f"{address}/goodbye"],
        frontchannel_logout_uri=f"{address}/logout",
    )
    with page_of(browser, size=(width, 800), color_scheme=theme) as page:
        page.goto(url)
        check(page, stack, f"sign-in-{width}")
        page.get_by_label("Email").fill(user["email"])
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Allow access?")).to_be_visible()
        check(page, stack, f"consent-{width}")
        page.get_by_role("button", name="Allow").click()
        page.wait_for_url(f"{address}/callback*")
        code = parse_qs(urlsplit(page.url).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": f"{address}/callback"}
        credentials = (client["client_id"], client["client_secret"])
        tokens = requests.post(f"{stack.gateway}/auth-ms/oauth/token", form, auth=credentials, timeout=60).json()
        part = tokens["id_token"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))

        leave = {"client_id": client["client_id"], "post_logout_redirect_uri": f"{address}/goodbye", "state": "a-state"}
        page.goto(f"{stack.gateway}/auth-ms/oauth/end-session?{urlencode(leave)}")
        check(page, stack, f"sign-out-{width}")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_text("You are signed out.")).to_be_visible()
        keep(page, stack, f"provider-signed-out-{width}")
        page.wait_for_url(f"{address}/goodbye?state=a-state")

        [frame] = [path for path in visited if path.startswith("/logout")]
        assert parse_qs(urlsplit(frame).query) == {"iss": [claims["iss"]], "sid": [claims["sid"]]}
        page.goto(f"{stack.gateway}/auth-ms/oauth/end-session")
        check(page, stack, f"signed-out-{width}")
        page.goto(f"{stack.gateway}/auth-ms/oauth/end-session?id_token_hint={tokens['id_token']}")
        expect(page.get_by_text("You are signed out.")).to_be_visible()


def test_the_consent_page_shows_the_logo_of_the_client_or_its_initial(stack, admin, browser):
    user, host = stack.verified_user(), "https://images.example.org"
    svg = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'><rect width='9' height='9' fill='teal'/></svg>"
    links = {name: f"https://orders.example.org/{name}" for name in ("client_uri", "policy_uri", "tos_uri")}
    shown = {}
    with page_of(browser, size=(375, 800), expected_statuses=(404,)) as page:
        page.route(f"{host}/logo.svg", lambda route: route.fulfill(body=svg, content_type="image/svg+xml"))
        page.route(f"{host}/missing.svg", lambda route: route.fulfill(status=404))
        for name, logo in (("Orders", "logo"), ("Orders", "missing"), ("Invoices", "missing"), ("Orders", "")):
            members = {"redirect_uris": ["https://orders.example.org/callback"], **links}
            _, url = register(stack, admin, name=name, logo_uri=logo and f"{host}/{logo}.svg", **members)
            page.goto(url)
            if not shown:
                page.get_by_label("Email").fill(user["email"])
                page.get_by_label("Password").fill(PASSWORD)
                page.get_by_role("button", name="Sign in", exact=True).click()
            expect(page.get_by_role("link", name="Privacy policy")).to_be_visible()
            page.wait_for_function("[...document.images].every((each) => each.complete)")
            check(page, stack, f"consent-{name}-{logo or 'none'}")
            shown[name, logo] = page.locator(".logo").screenshot()

    assert shown["Orders", "logo"] != shown["Orders", "missing"]
    assert shown["Orders", "missing"] != shown["Invoices", "missing"]  # so the initial is there
