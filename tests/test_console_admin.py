"""The admin pages of the account console."""

import re
import secrets

from playwright.sync_api import expect

from evidence.harness.browser import browser, page
from evidence.harness.console import follow, heading, newest_mail, sign_in
from evidence.harness.waiting import eventually

__all__ = ["browser", "page"]


def test_an_admin_finds_a_user_and_grants_rights(stack, page, admins_email):
    surname, searched, held = f"Zz{secrets.token_hex(6)}", re.compile(r"/users-ms/users\?limit=20&search="), []
    for number in range(22):
        stack.sign_up(name=f"N{number}", surname=surname)
    sign_in(page, stack, admins_email)
    heading(page, "Profile")
    follow(page, "Users")
    page.get_by_label("Search").fill(surname.lower())
    page.route(searched, lambda route: held.append(route), times=1)
    expect(page.get_by_role("button", name="Next")).to_be_enabled()
    with page.expect_request(searched):
        page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("button", name="Next")).to_be_disabled()  # it belongs to the list that is being replaced
    held[0].continue_()
    expect(page.get_by_role("link", name=f"N0 {surname}")).to_be_visible()
    expect(page.get_by_role("cell", name=admins_email)).to_have_count(0)  # of the list before the search
    expect(page.get_by_role("row")).to_have_count(21)
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("row")).to_have_count(3)
    page.get_by_role("link", name=f"N21 {surname}").click()
    heading(page, "User")

    page.get_by_label("Scopes").fill("orders:read")
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("status")).to_have_text("Saved.")
    page.reload()
    expect(page.get_by_label("Scopes")).to_have_value("orders:read")


def test_a_slow_answer_does_not_replace_that_of_a_later_search(stack, page, admins_email):
    surname, whole_list, held = f"Zz{secrets.token_hex(6)}", re.compile(r"/users-ms/users\?limit=20$"), []
    stack.sign_up(name="Ada", surname=surname)
    sign_in(page, stack, admins_email)
    heading(page, "Profile")
    page.route(whole_list, lambda route: held.append(route))
    follow(page, "Users")
    page.get_by_label("Search").fill(surname)
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("link", name=f"Ada {surname}")).to_be_visible()

    with page.expect_response(whole_list) as late:
        held[0].continue_()
    late.value.finished()
    page.evaluate("() => new Promise((done) => setTimeout(done, 200))")  # for the page to show it, if it does

    expect(page.get_by_role("row")).to_have_count(2)


def test_an_admin_redelivers_a_dead_letter_and_reads_the_audit_log(stack, page, admins_email):
    with stack.mail_rejected(550):
        user = stack.sign_up()
        sign_in(page, stack, admins_email)
        heading(page, "Profile")
        button = page.get_by_role("button", name=f"Redeliver: email_verification_email_notification, {user['id']}")

        def dead():
            follow(page, "Users")
            follow(page, "Dead letters")
            expect(page.locator("[aria-busy]")).to_have_count(0)
            return button.count()

        eventually(dead)
    button.click()
    expect(page.get_by_role("status")).to_have_text("Redelivered: 1.")
    newest_mail(stack, user["email"], "Confirm your email address")

    follow(page, "Audit log")
    expect(page.get_by_role("cell", name="Sign-in").first).to_be_visible()
    stack.log_in(user["email"], "not the password")
    page.get_by_label("User ID").fill(str(user["id"]))
    page.get_by_label("Outcome").select_option("failure")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("row")).to_have_count(2)  # including the header
    expect(page.get_by_role("cell", name="failure")).to_be_visible()
    page.get_by_label("Event").select_option("Used refresh token reused")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text("Nothing here.")).to_be_visible()


def test_admin_pages_are_for_admins(stack, page):
    sign_in(page, stack, stack.sign_up()["email"])
    heading(page, "Profile")

    page.goto(f"{stack.gateway}/#/audit-log")

    heading(page, "Profile")
    expect(page.get_by_role("link", name="Audit log")).to_have_count(0)
