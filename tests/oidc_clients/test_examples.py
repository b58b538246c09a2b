"""An adopter's story: a team leaves Keycloak, and its applications (examples/) sign the users in with Tessera."""

import base64
import hashlib
import hmac
import json
import os
import secrets
import sqlite3
import subprocess
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import requests
from playwright.sync_api import expect

from evidence.harness import keycloak, sample_applications
from evidence.harness.browser import browser, page_of
from evidence.harness.stack import PASSWORD
from evidence.harness.waiting import eventually

__all__ = ["browser"]

USERS = 10_000
ALGORITHMS = {  # as Keycloak 12 to 23, 24, and 25 to 26 keep passwords
    "pbkdf2-sha256": lambda password: keycloak.pbkdf2(password, "pbkdf2-sha256", "sha256", 27_500),
    "pbkdf2-sha512": lambda password: keycloak.pbkdf2(password, "pbkdf2-sha512", "sha512", 210_000),
    "argon2": keycloak.argon2,
}
EXAMPLES = {"flask": sample_applications.flask, "express": sample_applications.express}


def realm_of(users):
    """The export of a realm with 10,000 users, and those of them who sign in, each with the password.

    Of each algorithm `users` have a hash of their own. All others share one whose password nobody knows, because
    10,000 different ones would take half an hour and show nothing more.
    """
    known, shared = [], []
    for hashed in ALGORITHMS.values():
        shared.append(hashed(secrets.token_urlsafe()))
        for password in (secrets.token_urlsafe(12) for _ in range(users)):
            known.append((password, keycloak.user(hashed(password), firstName=f"User{len(known)}")))
    rows = [row for _, row in known]
    rows += [keycloak.user(shared[number % len(shared)]) for number in range(USERS - len(rows))]
    return {"realm": "products", "users": rows}, known


@pytest.fixture
def applications(secure, tmp_path):
    """The running examples."""
    with ExitStack() as running:
        yield [
            running.enter_context(sample_applications.running(secure, name, command_of, directory=tmp_path))
            for name, command_of in EXAMPLES.items()
        ]


class Visitor:
    """A user at a browser: it signs in at Tessera once, and then at each application without a password."""

    def __init__(self, secure, email, password):
        self.email, self.password = email, password
        self.browser = secure.browser()

    def sign_in(self, application):
        page = self.browser.open(f"{application.url}/login")
        if 'name="password"' in page.text:
            page = self.browser.sign_in(page, self.email, self.password)
        assert page.url == f"{application.url}/", (page.url, page.text)
        return page.text

    def sees(self, application):
        return application.answers(self.browser.session)

    def log_out(self, application, *, origin):
        headers = {"Origin": origin} if origin else {}
        return self.browser.session.post(
            f"{application.url}/logout", headers=headers, allow_redirects=False, timeout=60
        )


def test_a_team_moves_from_keycloak_and_its_applications_follow_what_happens(secure, applications, tmp_path):
    stack = secure.stack
    admin = stack.token_of(secure.admin)
    realm, known = realm_of(users=2)
    (grace, colleague), others = known[:2], known[2:]
    file = tmp_path / "realm.json"
    file.write_text(json.dumps(realm))
    assert imported(stack, file) == f"{USERS} users imported, 0 were here already, 0 refused."

    # Old passwords work, and their hashes are replaced.
    for password, row in others:
        assert stack.log_in(row["email"], f"{password}x").status_code == 401, row
        assert stack.log_in(row["email"], password).status_code == 200, row
    hashes = exported_hashes(stack, tmp_path / "after.ndjson")
    assert {hashes[row["email"]].split("$")[0] for _, row in others} == {"bcrypt_sha256"}
    assert sum(not each.startswith("bcrypt") for each in hashes.values()) >= USERS - len(others)

    # An organisation, whose owner invites a colleague by mail.
    owner, invited = user_of(stack, admin, grace[1]["email"]), user_of(stack, admin, colleague[1]["email"])
    body = {"name": "Acme Corporation", "slug": f"acme-{secrets.token_hex(4)}", "owner_id": owner["id"]}
    organisation = created(stack, "/users-ms/organisations", body, admin)
    members = f"/users-ms/organisations/{organisation['id']}"
    owners_token = stack.token_of(grace[1]["email"], grace[0])
    invitation = {"email": invited["email"], "roles": ["member", "orders:read"]}
    created(stack, f"{members}/invitations", invitation, owners_token)
    mail = eventually(lambda: stack.mails(invited["email"]))[0]
    accept = {"token": stack.mailed_token(mail)}
    token = stack.token_of(colleague[1]["email"], colleague[0])
    answer = stack.call("POST", "/users-ms/organisations/invitations/accept", accept, token=token)
    assert answer.status_code == 200, answer.text

    # Both sign in at each application, which shows the organisation and the roles.
    visitors = {
        "owner": Visitor(secure, owner["email"], grace[0]),
        "member orders:read": Visitor(secure, invited["email"], colleague[0]),
    }
    owner_visits, colleague_visits = visitors.values()
    for application in applications:
        for (roles, visitor), user in zip(visitors.items(), (owner, invited), strict=True):
            assert visitor.sees(application) is None
            page = visitor.sign_in(application)
            assert f"{user['name']} {user['surname']}, organisation {organisation['name']}, roles: {roles}" in page
            assert visitor.sees(application) == {
                "user_id": str(user["id"]),
                "name": f"{user['name']} {user['surname']}",
                "organisation": str(organisation["id"]),
                "roles": roles,
            }

    # Changed roles reach each application by its webhook: the session there ends, and the next one has them.
    roles = {"roles": ["admin", "orders:read"]}
    answer = stack.call("PUT", f"{members}/members/{invited['id']}", roles, token=owners_token)
    assert answer.status_code in (200, 204), answer.text
    for application in applications:
        eventually(lambda application=application: colleague_visits.sees(application) is None)
        assert "roles: admin orders:read" in colleague_visits.sign_in(application)
        assert owner_visits.sees(application)

    # A session that the owner ends elsewhere ends in each application, which still knows the owner.
    assert stack.call("POST", "/auth-ms/auth/logout-all", token=owners_token).status_code == 204
    for application in applications:
        eventually(lambda application=application: owner_visits.sees(application) is None)
        assert application.knows(owner["id"])

    # The colleague is erased: each application forgets the user, and the session there ends.
    for application in applications:
        assert colleague_visits.sees(application) and application.knows(invited["id"])
    assert stack.call("DELETE", f"/users-ms/users/{invited['id']}", token=admin).status_code == 204
    for application in applications:
        eventually(lambda application=application: not application.knows(invited["id"]))
        assert colleague_visits.sees(application) is None
        assert application.knows(owner["id"])


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_names_the_variables_that_are_missing(name, tmp_path):
    given = {"PATH": os.environ["PATH"], "CLIENT_ID": "orders", "DATABASE": str(tmp_path / "none")}

    ended = subprocess.run(
        [str(part) for part in EXAMPLES[name](0)],
        cwd=sample_applications.EXAMPLES / name,
        env=given,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert ended.returncode != 0
    said = ended.stderr
    assert "APPLICATION_URL, ISSUER, CLIENT_SECRET" in said and "WEBHOOK_SECRET" in said, said
    assert "CLIENT_ID" not in said and "Traceback" not in said and "    at " not in said, said


def test_the_examples_withstand_forged_requests(secure, applications):
    user = member(secure)
    for application in applications:
        visitor = Visitor(secure, user["email"], PASSWORD)
        planted = visitor.browser.open(f"{application.url}/")
        before = dict(visitor.browser.session.cookies)
        visitor.sign_in(application)
        assert "no-store" in planted.headers["Cache-Control"] and "'none'" in planted.headers["Content-Security-Policy"]
        after = {each.name: each for each in visitor.browser.session.cookies if each.domain.startswith("127.0.0.1")}
        assert after, before
        for cookie in after.values():
            assert cookie.value != before.get(cookie.name)
            attributes = {name.lower(): value for name, value in cookie._rest.items()}
            assert "httponly" in attributes and attributes["samesite"] == "Lax", cookie

        # Webhooks: neither unsigned, changed, old, nor signed by somebody else; a second time without effect.
        event = {"id": str(uuid.uuid4()), "type": "user_deleted", "data": {"user_id": user["id"]}}
        now, content, secret = int(time.time()), json.dumps(event), application.webhook["secret"]
        genuine = signed(content, event["id"], now, secret)
        wrong = [
            (content, {}),
            (content, genuine | {"webhook-signature": "v1"}),
            (content, genuine | {"webhook-signature": "v1,é?".encode().decode("latin-1")}),
            (content, genuine | {"webhook-id": str(uuid.uuid4())}),
            (content.replace("deleted", "created"), genuine),
            (content + " ", genuine),
            (content, signed(content, event["id"], now - 400, secret)),
            (content, signed(content, event["id"], now, "whsec_" + base64.b64encode(b"another" * 5).decode())),
        ]
        for payload, headers in wrong:
            assert post(application, "/webhook", payload, headers).status_code == 401, headers
        assert visitor.sees(application), "a forged event has ended the session"
        with ThreadPoolExecutor(4) as threads:
            sent = [threads.submit(post, application, "/webhook", content, genuine) for _ in range(4)]
        assert {each.result().status_code for each in sent} == {204}
        assert visitor.sees(application) is None
        visitor.sign_in(application)
        assert post(application, "/webhook", content, genuine).status_code == 204
        assert visitor.sees(application), "a repeated event has been handled again"

        # Logout tokens: an ID token is none, nor is one without a signature.
        identity = id_token(application)
        header, claims, signature = identity.split(".")
        unsigned = base64.urlsafe_b64encode(b'{"alg":"none","typ":"logout+jwt"}').decode().rstrip("=")
        for forged in ("", "x", identity, f"{unsigned}.{claims}.", f"{header}.{claims}.{signature[::-1]}"):
            answer = post(application, "/backchannel-logout", f"logout_token={forged}", FORM)
            assert answer.status_code == 400, forged
        assert visitor.sees(application)

        # Sign-in: the answer of another browser's sign-in, and an error with markup.
        for query in ("code=x&state=y", "error=access_denied&error_description=<script>alert(1)</script>", ""):
            answer = requests.get(f"{application.url}/callback?{query}", allow_redirects=False, timeout=60)
            assert answer.status_code == 400 and "<script>" not in answer.text, answer.text
        away = visitor.browser.session.get(
            f"{application.url}/login?next=//evil.example.com&redirect_uri=https://evil.example.com",
            allow_redirects=False,
            timeout=60,
        )
        assert away.headers["Location"].startswith(secure.issuer) and "evil" not in away.headers["Location"]
        visitor.sign_in(application)

        # Logout: only by a form of the application itself, and then at Tessera too.
        for origin in ("https://evil.example.com", "null", None):
            assert visitor.log_out(application, origin=origin).status_code == 403
        assert visitor.sees(application)
        answer = visitor.log_out(application, origin=application.url)
        assert answer.status_code == 303, answer.text
        assert visitor.browser.open(answer.headers["Location"]).url.startswith(f"{application.url}/")
        assert visitor.sees(application) is None
        assert 'name="password"' in visitor.browser.open(f"{application.url}/login").text


def test_a_browser_signs_in_and_out_under_the_examples_own_policy(secure, applications, browser):
    """Chromium applies `form-action` to the redirects after the logout too."""
    user = member(secure)
    for application in applications:
        with page_of(browser, ignore_https_errors=True) as page:
            page.goto(f"{application.url}/profile")
            page.fill("[name=username]", user["email"])
            page.fill("[name=password]", PASSWORD)
            page.locator("[name=password]").press("Enter")
            expect(page.get_by_text("roles: owner")).to_be_visible()
            page.get_by_role("button", name="Log out").click()
            expect(page.get_by_role("link", name="Sign in")).to_be_visible()
            assert page.url.startswith(f"{application.url}/")
            page.get_by_role("link", name="Sign in").click()
            expect(page.locator("[name=password]")).to_be_visible()


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def member(secure):
    """A user who owns an organisation."""
    user = secure.stack.verified_user()
    body = {"name": "Acme", "slug": f"acme-{secrets.token_hex(4)}", "owner_id": user["id"]}
    created(secure.stack, "/users-ms/organisations", body, secure.stack.token_of(secure.admin))
    return user


def id_token(application):
    with sqlite3.connect(application.database, timeout=30) as connection:
        return connection.execute("SELECT id_token FROM sessions").fetchone()[0]


def signed(content, identity, sent_at, secret):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{identity}.{sent_at}.{content}".encode(), hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": identity, "webhook-timestamp": str(sent_at), "webhook-signature": signature}


def post(application, path, content, headers):
    return requests.post(
        f"{application.url}{path}",
        data=content.encode(),
        headers={"Content-Type": "application/json"} | headers,
        allow_redirects=False,
        timeout=60,
    )


def imported(stack, file):
    done = subprocess.run(
        [*stack.commands, "import", str(file), "--format=keycloak"], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-1]


def exported_hashes(stack, file):
    stack.command("export", "--file", str(file))
    return {row["email"]: row.get("password_hash") or "" for row in map(json.loads, file.read_text().splitlines())}


def user_of(stack, admin, email):
    (found,) = stack.call("GET", f"/users-ms/users?email={email}", token=admin).json()["results"]
    return found


def created(stack, path, body, token):
    answer = stack.call("POST", path, body, token=token)
    assert answer.status_code == 201, answer.text
    return answer.json()
