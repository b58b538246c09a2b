"""Organisations in the console: an owner invites, and the link of the mail leads in, with a new account or with one."""

import secrets

import pytest
from playwright.sync_api import expect

from evidence.harness.browser import browser, page, page_of
from evidence.harness.console import follow, heading, newest_mail, sign_in
from evidence.harness.stack import PASSWORD

__all__ = ["browser", "page"]
MAIL = "Invitation to an organisation"


@pytest.fixture
def owner(stack):
    return stack.verified_user()


@pytest.fixture
def acme(stack, owner, admins_email):
    slug = f"acme-{secrets.token_hex(4)}"
    body = {"name": f"Company {slug}", "slug": slug, "owner_id": owner["id"]}
    answer = stack.call("POST", "/users-ms/organisations", body, token=stack.token_of(admins_email))
    answer.raise_for_status()
    return answer.json()


def invite(stack, acme, owner, email):
    """The page to which the mail of an invitation leads."""
    body = {"email": email, "roles": ["member"]}
    path = f"/users-ms/organisations/{acme['id']}/invitations"
    stack.call("POST", path, body, token=stack.token_of(owner["email"])).raise_for_status()
    return stack.mailed_page(newest_mail(stack, email, MAIL))


def test_a_colleague_is_invited_and_joins_with_a_new_account(stack, browser, page, acme, owner):
    new = f"new.{secrets.token_hex(8)}@example.org"
    sign_in(page, stack, owner["email"])
    heading(page, "Profile")
    follow(page, "Organisations")
    page.get_by_role("link", name=acme["name"]).click()
    heading(page, "Organisation")
    page.get_by_label("Email").fill(new)
    page.get_by_label("Other roles").fill("billing:read")
    page.get_by_role("button", name="Invite by email").click()
    expect(page.get_by_role("cell", name=new, exact=True)).to_be_visible()

    with page_of(browser) as invited:
        invited.goto(stack.mailed_page(newest_mail(stack, new, MAIL)))
        heading(invited, "Invitation")
        assert invited.url.endswith("#/invitation")  # the browser history has no token
        invited.get_by_label("First name").fill("Grace")
        invited.get_by_label("Surname").fill("Hopper")
        invited.get_by_label("Password").fill(PASSWORD)
        invited.get_by_role("button", name="Create account").click()

        heading(invited, "Organisations")
        expect(invited.get_by_role("cell", name="member, billing:read")).to_be_visible()

    page.reload()
    page.get_by_role("button", name=f"Change the roles of {new}").click()
    page.get_by_label("Role", exact=True).first.select_option("admin")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("cell", name="admin, billing:read")).to_be_visible()


def test_the_link_survives_a_sign_in_with_an_account(stack, page, acme, owner):
    user = stack.verified_user()

    page.goto(invite(stack, acme, owner, user["email"]))
    heading(page, "Invitation")
    page.get_by_role("button", name="Sign in", exact=True).click()
    heading_of_sign_in = page.get_by_role("heading", level=1, name="Sign in", exact=True)
    expect(heading_of_sign_in).to_be_visible()
    page.get_by_label("Email").fill(user["email"])
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()

    heading(page, "Invitation")
    page.get_by_role("button", name="Accept the invitation").click()
    heading(page, "Organisation")
    expect(page.get_by_text(acme["name"])).to_be_visible()


def test_another_account_is_refused_and_offered_to_change(stack, browser, acme, owner):
    other = stack.verified_user()
    link = invite(stack, acme, owner, f"new.{secrets.token_hex(8)}@example.org")
    with page_of(browser, expected_statuses=(403,)) as page:
        sign_in(page, stack, other["email"])
        heading(page, "Profile")
        page.goto(link)
        heading(page, "Invitation")

        page.get_by_role("button", name="Accept the invitation").click()

        expect(page.get_by_role("alert")).to_contain_text("The invitation is for another email address")
        page.get_by_role("button", name="Use another account").click()
        expect(page.get_by_role("heading", level=1, name="Sign in", exact=True)).to_be_visible()


def test_an_admin_sets_a_domain_whose_users_join(stack, browser, page, acme, owner, admins_email):
    domain = f"{secrets.token_hex(8)}.example.org"
    sign_in(page, stack, admins_email)
    heading(page, "Profile")
    page.goto(f"{stack.gateway}/#/organisations/{acme['id']}")
    page.get_by_label("Domains").fill(domain)
    page.get_by_role("button", name="Save domains").click()
    expect(page.get_by_text("The domains are saved.")).to_be_visible()

    with page_of(browser) as managing:
        sign_in(managing, stack, owner["email"])
        heading(managing, "Profile")
        managing.goto(f"{stack.gateway}/#/organisations/{acme['id']}")
        expect(managing.get_by_text(domain)).to_be_visible()
        expect(managing.get_by_label("Domains")).to_have_count(0)
