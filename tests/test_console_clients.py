"""Applications in the console: registered by admins, and disconnected by users."""

import json
import re

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from playwright.sync_api import expect

from evidence.harness.browser import browser, page, page_of
from evidence.harness.console import follow, heading, sign_in
from evidence.harness.stack import PASSWORD
from evidence.harness.waiting import eventually

__all__ = ["browser", "page"]
CALLBACK = "https://orders.example.org/callback"


@pytest.fixture
def registered(stack, admin):
    """`registered(**members)`: a new client, as the API answers."""

    def make(**members):
        body = {"name": "Orders", "redirect_uris": [CALLBACK], "scopes": ["openid", "email"]} | members
        answer = stack.call("POST", "/auth-ms/clients", body, token=admin["access_token"])
        assert answer.status_code == 201, answer.text
        return answer.json()

    return make


def token(stack, client_id, secret):
    form = {"grant_type": "client_credentials"}
    return requests.post(f"{stack.gateway}/auth-ms/oauth/token", form, auth=(client_id, secret), timeout=60).status_code


def test_an_admin_registers_an_application_and_its_secret_works(stack, page, admins_email):
    sign_in(page, stack, admins_email)
    heading(page, "Profile")
    follow(page, "Applications")
    page.get_by_role("link", name="Register an application").click()
    heading(page, "Register an application")

    page.get_by_label("Name", exact=True).fill("Reports")
    page.get_by_label("Redirect URIs", exact=True).fill(f"{CALLBACK}\n\n https://orders.example.org/other ")
    page.get_by_label("Scopes").fill("openid reports:read")
    page.get_by_label("it calls as itself").check()
    page.get_by_role("button", name="Register an application").click()

    expect(page.get_by_role("heading", name="Credentials")).to_be_focused()
    secret = page.locator("#client-secret").inner_text()
    page.get_by_role("link", name="Open Reports").click()
    heading(page, "Application")
    client_id = page.url.rpartition("/")[2]
    expect(page.get_by_label("Redirect URIs", exact=True)).to_have_value(
        f"{CALLBACK}\nhttps://orders.example.org/other"
    )
    expect(page.get_by_label("it calls as itself")).to_be_checked()
    assert token(stack, client_id, secret) == 200


def test_errors_stand_beside_their_fields_and_name_the_line(stack, browser, admins_email):
    with page_of(browser, expected_statuses=(400,)) as page:
        sign_in(page, stack, admins_email)
        heading(page, "Profile")
        page.goto(f"{stack.gateway}/#/clients/new")
        heading(page, "Register an application")
        register = page.get_by_role("button", name="Register an application")

        register.click()
        expect(page.get_by_label("Name", exact=True)).to_have_accessible_description(re.compile("Please fill this in."))
        page.get_by_label("Name", exact=True).fill("Reports")
        page.get_by_label("Redirect URIs", exact=True).fill(f"{CALLBACK}\nhttp://orders.example.org/")
        page.get_by_label("Back-channel logout URI").fill("https://10.0.0.1/logout")
        register.click()

        uris = page.get_by_label("Redirect URIs", exact=True)
        expect(uris).to_be_focused()
        expect(uris).to_have_accessible_description(re.compile("2: Must be https; http is only for the loopback"))
        logout = page.get_by_label("Back-channel logout URI")
        expect(logout).to_have_accessible_description(re.compile("Must be https at a public address."))


def test_an_admin_registers_an_application_of_a_device_with_keys_and_claims(stack, browser, admins_email, admin):
    keys = {"keys": [ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key(), as_dict=True)]}
    with page_of(browser, expected_statuses=(400,)) as page:
        sign_in(page, stack, admins_email)
        heading(page, "Profile")
        page.goto(f"{stack.gateway}/#/clients/new")
        heading(page, "Register an application")
        page.get_by_label("Name", exact=True).fill("Television")
        page.get_by_label("Authentication of the application").select_option("key (private_key_jwt)")
        page.get_by_label("users sign in (authorization code)").uncheck()
        page.get_by_label("they sign in on another device").check()
        field, register = page.get_by_label("Its keys (JWKS)", exact=True), "Register an application"

        field.fill("-----BEGIN PUBLIC KEY-----")
        page.get_by_role("button", name=register).click()
        expect(field).to_have_accessible_description(re.compile("Must be an object with the member keys"))
        field.fill(json.dumps(keys))
        claims = page.get_by_label("Claims of your own")
        claims.fill('{"plan": "metadata.plan", "groups": "attributes.groups"}')
        page.get_by_role("button", name=register).click()
        expect(claims).to_have_accessible_description(re.compile("'groups' can only come from metadata"))
        claims.fill('{"plan": "metadata.plan"}')
        page.get_by_role("button", name=register).click()

        expect(page.get_by_text("This application has no secret.")).to_be_visible()
        page.get_by_role("link", name="Open Television").click()
        heading(page, "Application")
        page.get_by_label("Name", exact=True).fill("Televisions")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("status")).to_have_text("Saved.")
    stored = stack.call("GET", f"/auth-ms/clients/{page.url.rpartition('/')[2]}", token=admin["access_token"]).json()
    assert (stored["name"], stored["jwks"]) == ("Televisions", keys)
    assert stored["claims"] == {"plan": "metadata.plan"}
    assert stored["grant_types"] == ["refresh_token", "urn:ietf:params:oauth:grant-type:device_code"]


def test_an_admin_changes_rotates_and_deletes_an_application(stack, page, admins_email, registered, admin):
    made = registered(grant_types=["authorization_code", "client_credentials"], web_origins=["https://a.example.org"])
    sign_in(page, stack, admins_email)
    heading(page, "Profile")
    page.goto(f"{stack.gateway}/#/clients/{made['client_id']}")
    heading(page, "Application")

    page.get_by_label("Signing algorithm").select_option("RS256")
    page.get_by_label("First-party").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")
    path = f"/auth-ms/clients/{made['client_id']}"
    changed = stack.call("GET", path, token=admin["access_token"]).json()
    kept = {name: value for name, value in made.items() if name != "client_secret"}
    assert changed == kept | {"signing_algorithm": "RS256", "first_party": True}

    page.get_by_label("The old secret stays valid for").select_option("not at all: it was stolen")
    page.get_by_role("button", name="Create a new secret").click()
    expect(page.get_by_role("status")).to_have_text("There is a new secret.")
    assert token(stack, made["client_id"], page.locator("#client-secret").inner_text()) == 200
    assert token(stack, made["client_id"], made["client_secret"]) == 401

    page.get_by_role("button", name="Delete application").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete application").click()
    heading(page, "Applications")
    assert stack.call("GET", path, token=admin["access_token"]).status_code == 404


def allow(stack, client, email):
    """Sign in at an application, and consent, in a browser without scripts."""
    person = requests.Session()
    query = {"client_id": client["client_id"], "response_type": "code", "scope": "openid email"}
    query |= {"redirect_uri": CALLBACK, "code_challenge_method": "S256", "code_challenge": "E" * 43}
    shown = person.get(f"{stack.gateway}/auth-ms/oauth/authorize", params=query, timeout=60)
    for given in ({"username": email, "password": PASSWORD}, {"decision": "allow"}):
        form = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', shown.text))
        url = f"{stack.gateway}/auth-ms/oauth/interaction"
        shown = person.post(url, form | given, allow_redirects=False, timeout=60)
    assert "code=" in shown.headers["Location"], shown.headers


def test_the_list_marks_applications_that_registered_themselves(stack, page, admins_email, admin, registered):
    issuer = requests.get(f"{stack.gateway}/.well-known/openid-configuration", timeout=60).json()["issuer"]
    by_itself = {"grant_types": ["client_credentials"], "scopes": ["clients:register"], "redirect_uris": []}
    registrar = registered(name="Registrar", resources=[f"{issuer}/auth-ms/oauth/register"], **by_itself)
    form, pair = {"grant_type": "client_credentials"}, (registrar["client_id"], registrar["client_secret"])
    given = requests.post(f"{stack.gateway}/auth-ms/oauth/token", form, auth=pair, timeout=60).json()
    body = {"client_name": "Newcomer", "redirect_uris": [CALLBACK]}
    made = stack.call("POST", "/auth-ms/oauth/register", body, token=given["access_token"])
    assert made.status_code == 201, made.text
    sign_in(page, stack, admins_email)
    heading(page, "Profile")

    follow(page, "Applications")

    expect(page.get_by_role("row", name="Newcomer").get_by_text("registered itself")).to_be_visible()
    expect(page.get_by_role("row", name="Registrar").get_by_text("registered itself")).to_have_count(0)
    page.get_by_role("link", name="Newcomer").first.click()
    expect(page.get_by_role("link", name=registrar["client_id"])).to_be_visible()


def test_a_user_sees_narrows_and_disconnects_an_application(stack, page, registered):
    user, client = stack.verified_user(), registered(policy_uri="https://orders.example.org/privacy")
    allow(stack, client, user["email"])
    sign_in(page, stack, user["email"])
    heading(page, "Profile")
    follow(page, "Connected applications")
    expect(page.get_by_role("cell", name="Orders Privacy policy", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Privacy policy")).to_be_visible()
    expect(page.get_by_text("see your email address")).to_be_visible()

    page.get_by_role("button", name="Take back from Orders: see your email address").click()

    expect(page.get_by_role("status")).to_have_text("The application may no longer do this.")
    expect(page.get_by_text("see your email address")).to_have_count(0)
    expect(page.get_by_role("button", name="Take back")).to_have_count(0)
    page.get_by_role("button", name="Disconnect Orders").click()
    page.get_by_role("dialog").get_by_role("button", name="Disconnect").click()

    expect(page.get_by_role("status")).to_have_text("The application is disconnected.")
    expect(page.get_by_text("Nothing here.")).to_be_visible()
    account = stack.log_in(user["email"]).json()["access_token"]
    eventually(lambda: stack.call("GET", "/auth-ms/auth/consents", token=account).json()["results"] == [])
