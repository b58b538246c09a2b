"""Every page of the console in light and dark, on desktop and phone: layout and accessibility, by axe-core's rules and
our own; and the console's files."""

import re
from pathlib import Path

import pyotp
import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from evidence.harness.browser import browser, keep, page_of
from evidence.harness.stack import PASSWORD
from evidence.harness.waiting import eventually

__all__ = ["browser"]
CONSOLE = Path(__file__).parent.parent / "gateway" / "console"
LOOKS = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark", "locale": "it-IT"},
    "phone": {"color_scheme": "light", "is_mobile": True, "has_touch": True},
    "phone-dark": {"color_scheme": "dark", "locale": "it-IT", "is_mobile": True, "has_touch": True},
}
OPEN = ["sign-in", "sign-up", "password/forgot"]
OPEN += [f"{page}/{'x' * 43}" for page in ("password/reset", "verify", "email/undo")]
OWN = ["profile", "security", "sessions", "applications", "organisations", "activity", "notifications", "preferences"]
OWN += ["users", "clients", "clients/new", "dead-letters", "audit-log"]
OWN += ["providers", "providers/new/openid", "providers/new/apple"]
AXE = Axe()
# Rules beyond axe-core: exactly one main heading, a name for each control, nothing wider than the window.
RULES = """() => {
  const wrong = [];
  const named = (element) => element.labels?.length || element.getAttribute("aria-label") || element.textContent.trim();
  for (const each of document.querySelectorAll("input:not([hidden]), select, textarea, button, a")) {
    if (!named(each)) wrong.push(`no name: ${each.outerHTML}`);
  }
  for (const each of document.querySelectorAll("img:not([alt]), svg:not([aria-label])")) wrong.push(each.outerHTML);
  if (document.querySelectorAll("h1").length !== 1) wrong.push("not one h1");
  if (document.querySelectorAll("main, header, footer").length !== 3) wrong.push("landmarks");
  const ids = [...document.querySelectorAll("[id]")].map((each) => each.id);
  wrong.push(...ids.filter((id, index) => ids.indexOf(id) !== index).map((id) => `twice: ${id}`));
  const width = document.documentElement.scrollWidth;
  if (width > document.documentElement.clientWidth) wrong.push(`${width} pixels wide`);
  for (const box of document.querySelectorAll("dialog, .card")) {
    const edge = box.getBoundingClientRect().right;
    const out = [...box.querySelectorAll("*")].find((each) => each.getBoundingClientRect().right > edge);
    if (out || box.scrollWidth > box.clientWidth) wrong.push(`overflows: ${(out || box).outerHTML}`);
  }
  return wrong;
}"""


@pytest.fixture(scope="module")
def user_with_history(stack, admins_email):
    """An admin with a history: a rejected and a delivered email, sessions, a disabled second factor."""
    with stack.mail_rejected(550):
        user = stack.sign_up(name="Grace", surname="Hopper")
        token = stack.log_in(admins_email).json()["access_token"]
        url = f"{stack.notification}/notification-ms/dead-letters?queue=email_verification_email_notification"
        headers = {"Authorization": f"Bearer {token}"}

        def dead():
            letters = requests.get(url, headers=headers, timeout=60).json()["results"]
            return any(letter["user_id"] == user["id"] for letter in letters)

        eventually(dead)
        client = {"name": "Orders", "redirect_uris": ["https://orders.example.org/callback"]}
        client |= {"backchannel_logout_uri": "https://orders.example.org/logout"}
        requests.post(f"{stack.auth}/auth-ms/clients", json=client, headers=headers, timeout=60).raise_for_status()
    return admins_email


@pytest.fixture(scope="module")
def user_with_factor(stack):
    """The email address of a user with a second factor."""
    user = stack.verified_user()
    headers = {"Authorization": f"Bearer {stack.log_in(user['email']).json()['access_token']}"}
    url = f"{stack.auth}/auth-ms/auth/mfa/totp"
    secret = requests.post(url, headers=headers, timeout=60).json()["secret"]
    body = {"code": pyotp.TOTP(secret).now()}
    requests.post(f"{url}/confirm", json=body, headers=headers, timeout=60).raise_for_status()
    return user["email"]


def _show(page: Page, stack, path: str) -> None:
    url = f"{stack.gateway}/#/{path}"
    if page.url != url:  # the previous page has a heading too
        page.evaluate("document.querySelector('h1')?.setAttribute('data-left', '')")
        page.goto(url)
        expect(page.locator("h1[data-left]")).to_have_count(0)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator("[aria-busy]")).to_have_count(0)
    page.wait_for_function("document.title.includes(' - ')")


def _check_and_keep(page: Page, stack, look: str, path: str) -> None:
    name = path.split("/x")[0].replace("/", "-")
    assert page.evaluate(RULES) == [], path
    violations = AXE.run(page).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"], each["nodes"][0]["failureSummary"]) for each in violations] == [], (
        path
    )
    keep(page, stack, f"console-{name}-{look}", full_page=path != "question")  # the page behind a dialog is dimmed


def _sign_in(page: Page, stack, email: str, password: str = PASSWORD) -> None:
    _show(page, stack, "sign-in")
    page.locator("#field-username").fill(email)
    page.locator("#field-password").fill(password)
    page.locator("form button").first.click()


@pytest.mark.parametrize("look", list(LOOKS))
def test_every_page_is_accessible_in_every_theme_and_size(
    stack, browser: Browser, user_with_history, user_with_factor, look
):
    size = (360, 740) if "phone" in look else (1280, 800)
    with page_of(browser, size=size, expected_statuses=(401,), **LOOKS[look]) as page:
        for path in OPEN:
            _show(page, stack, path)
            _check_and_keep(page, stack, look, path)
        _sign_in(page, stack, user_with_factor, "not the password")
        expect(page.get_by_role("alert")).to_be_visible()
        _check_and_keep(page, stack, look, "rejected")
        _sign_in(page, stack, user_with_factor)
        expect(page.locator("#field-totp")).to_be_focused()
        page.locator("summary").click()
        _check_and_keep(page, stack, look, "second-step")
        _show(page, stack, "sign-up")
        _sign_in(page, stack, user_with_history)
        expect(page.locator("header nav")).to_be_visible()
        expect(page.locator("#status")).to_be_empty()  # the message disappears and hides nothing in the screenshots
        for path in OWN:
            _show(page, stack, path)
            _check_and_keep(page, stack, look, path)
        page.goto(f"{stack.gateway}/#/clients")
        page.locator("td a").first.click()
        expect(page.locator("#field-redirect_uris")).to_be_visible()
        expect(page.locator("[aria-busy]")).to_have_count(0)
        _check_and_keep(page, stack, look, "client")
        page.goto(f"{stack.gateway}/#/users")
        page.locator("td a").first.click()
        expect(page.locator("#field-scopes")).to_be_visible()
        _check_and_keep(page, stack, look, "user")
        page.locator("button.danger").click()
        expect(page.get_by_role("dialog")).to_be_visible()
        _check_and_keep(page, stack, look, "question")
        page.keyboard.press("Escape")
        _show(page, stack, "security")
        page.locator("section").nth(1).get_by_role("button").click()
        expect(page.locator("svg.qr")).to_be_visible()
        _check_and_keep(page, stack, look, "second-factor")


def test_a_button_opens_the_menu_on_a_phone(stack, browser: Browser, user_with_history):
    with page_of(browser, size=(390, 740), is_mobile=True, has_touch=True) as page:
        _sign_in(page, stack, user_with_history)
        menu = page.get_by_role("button", name="Menu")
        expect(menu).to_have_attribute("aria-expanded", "false")
        assert page.locator("header").bounding_box()["height"] < 150
        expect(page.get_by_role("link", name="Audit log")).to_be_hidden()

        menu.click()
        assert page.evaluate(RULES) == []
        keep(page, stack, "console-menu-phone")
        page.get_by_role("link", name="Audit log").click()

        expect(page.get_by_role("heading", level=1, name="Audit log")).to_be_focused()
        expect(page.get_by_role("link", name="Audit log")).to_be_hidden()


# The enabled controls in document order; the focused element, and whether its focus is visible.
CONTROLS = """() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary")]
  .filter((each) => !each.disabled && each.checkVisibility()).map((each) => each.outerHTML)"""
FOCUSED = """() => {
  const each = document.activeElement, style = getComputedStyle(each);
  return [each.outerHTML, style.outlineStyle === "solid" && parseFloat(style.outlineWidth) >= 3];
}"""


def test_the_keyboard_reaches_every_control_in_order_with_a_visible_focus(stack, browser: Browser, user_with_history):
    with page_of(browser, size=(1280, 800)) as page:
        for path in (*OPEN, "", *OWN):
            if path:
                _show(page, stack, path)
            else:
                _sign_in(page, stack, user_with_history)
                expect(page.locator("header nav")).to_be_visible()
                continue
            page.evaluate(
                "document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex')"
            )
            controls, reached = page.evaluate(CONTROLS), []
            for _ in controls:
                page.keyboard.press("Tab")
                html, visible = page.evaluate(FOCUSED)
                assert visible, html
                reached.append(html)
            assert reached == controls, path


def test_focus_returns_after_a_dialog_and_moves_to_a_new_page(stack, browser: Browser, user_with_history):
    with page_of(browser) as page:
        _sign_in(page, stack, user_with_history)
        expect(page.locator("header nav")).to_be_visible()
        delete = page.get_by_role("button", name="Delete account")
        delete.press("Enter")
        expect(page.get_by_role("button", name="Cancel")).to_be_focused()
        page.keyboard.press("Escape")
        expect(delete).to_be_focused()

        page.get_by_label("Surname").press("Enter")  # saves
        expect(page.get_by_role("status")).to_have_text("Saved.")
        expect(page.get_by_label("Surname")).to_be_focused()

        for _ in range(21):
            stack.sign_up()
        _show(page, stack, "users")
        page.get_by_role("button", name="Next").press("Enter")
        expect(page.get_by_role("table")).to_be_focused()


def _texts(language: str) -> dict[str, str]:
    own = (CONSOLE / f"{language}.js").read_text().partition("export const serverTexts")[0]
    return dict(re.findall(r'^  "([^"]+)": "(.*)",$', own, re.MULTILINE))


def test_both_languages_have_the_same_texts():
    english, italian = _texts("en"), _texts("it")

    assert list(english) == list(italian)
    for key, text in english.items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", italian[key])), key


def test_every_used_text_exists():
    modules = "".join(file.read_text() for file in CONSOLE.glob("*.js")) + (CONSOLE / "index.html").read_text()
    asked = set(re.findall(r'\bt\("([^"]+)"', modules)) | set(re.findall(r'data-text="([^"]+)"', modules))

    assert len(asked) > 100
    assert asked <= set(_texts("en"))


def test_no_script_parses_html_and_no_style_is_inline():
    for file in CONSOLE.iterdir():
        text = file.read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|style=", text), file.name
