"""Web applications sign a user in, keep them signed in, and sign them out, with the pages' forms and no scripts.

Each application runs as its guide says; `/` shows the address of the user.
"""

import json
import os
import secrets
import subprocess
from contextlib import contextmanager
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from playwright.sync_api import expect

from evidence.harness import client_packages, console
from evidence.harness.browser import browser, keep, page_of
from evidence.harness.stack import PASSWORD
from evidence.harness.waiting import eventually
from local import ports
from local.layout import Program
from local.running_program import running_program

__all__ = ["browser"]


def free_port():
    return ports.free("APPLICATION_PORT")["APPLICATION_PORT"]


@contextmanager
def application(secure, name, command, *, port, **variables):
    """Runs it until the block ends; yields its address."""
    environment = {"ISSUER": secure.issuer, "PORT": str(port), **variables}
    command = [str(part) for part in command]
    program = Program(name=name, command=command, environment=environment, port=port, directory=secure.layout.directory)
    with running_program(secure.layout, program):
        yield f"http://127.0.0.1:{port}"


def register(secure, name, port, callback, *, bye="", **changes):
    members = {
        "redirect_uris": [f"http://127.0.0.1:{port}{callback}"],
        "post_logout_redirect_uris": [f"http://127.0.0.1:{port}{bye}"] if bye else [],
        "scopes": ["openid", "profile", "email", "offline_access"],
    }
    client = secure.register(name, **members | changes)
    return {"CLIENT_ID": client["client_id"], "CLIENT_SECRET": client.get("client_secret", "")}


def sign_in(secure, browser, address):
    """Opens the page, signs in and consents; returns the page."""
    page = browser.open(address)
    assert page.url.startswith(f"{secure.issuer}/auth-ms/oauth/authorize"), page.text
    page = browser.sign_in(page, secure.user["email"], PASSWORD)
    while 'type="hidden"' in page.text and page.url.startswith(secure.issuer):  # response_mode=form_post
        page = browser.send(page)
    assert page.status_code == 200 and page.url.startswith(address), (page.url, page.text)
    assert secure.user["email"] in page.text
    return page


def assert_signed_out(secure, browser, address):
    """The session is gone at the provider too: the next visit asks for the password."""
    page = browser.open(address)
    assert page.url.startswith(f"{secure.issuer}/auth-ms/oauth/authorize") and 'type="password"' in page.text


def assert_signed_out_by_back_channel(secure, browser, address):
    """All sessions of the user end elsewhere; then the application, whose page was open, asks for a sign-in."""
    assert secure.user["email"] in browser.open(address).text
    ended = secure.stack.call("POST", "/auth-ms/auth/logout-all", token=secure.stack.token_of(secure.user["email"]))
    assert ended.status_code == 204, ended.text
    eventually(lambda: browser.open(address).url.startswith(secure.issuer))


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_mozilla_django_oidc(secure, tmp_path, algorithm):
    port = free_port()
    known = register(
        secure, "Django", port, "/oidc/callback/", bye="/bye", signing_algorithm=algorithm, first_party=False
    )
    command = [client_packages.python(), client_packages.PROGRAMS / "django_application.py", tmp_path, port]
    trust = {"REQUESTS_CA_BUNDLE": str(secure.authority)}
    with application(secure, "django", command, port=port, ALGORITHM=algorithm, **known, **trust) as address:
        browser = secure.browser()
        sign_in(secure, browser, address)
        assert browser.open(f"{address}/expire").text == "expired"
        renewed = browser.open(address)
        assert renewed.url.startswith(address) and secure.user["email"] in renewed.text
        assert "signed out" in browser.open(f"{address}/oidc/logout/").text
        assert_signed_out(secure, browser, address)
    print(f"mozilla-django-oidc with {algorithm}: code with PKCE, consent, userinfo, prompt=none, RP-initiated logout")


def test_a_passkey_signs_in_to_mozilla_django_oidc_alone_and_after_the_password(secure, browser, tmp_path):
    port, user = free_port(), secure.stack.verified_user()
    known = register(secure, "Django", port, "/oidc/callback/", bye="/bye", first_party=True)
    command = [client_packages.python(), client_packages.PROGRAMS / "django_application.py", tmp_path, port]
    variables = {"ALGORITHM": "ES256", "REQUESTS_CA_BUNDLE": str(secure.authority), **known}
    trusting = {"ignore_https_errors": True}  # the CA is the test's own
    with application(secure, "django", command, port=port, **variables) as address:
        with page_of(browser, **trusting) as page:
            console.virtual_authenticator(page)
            console.sign_in(page, secure.stack, user["email"], at=secure.issuer)
            console.heading(page, "Profile")
            console.add_passkey(page, "my laptop")
            console.sign_out(page)

            page.goto(address)
            keep(page, secure.stack, "provider-sign-in-passkey")
            page.get_by_role("button", name="Sign in with a passkey").click()
            expect(page.get_by_text(user["email"])).to_be_visible()
            assert page.url == f"{address}/"

            page.goto(f"{address}/oidc/logout/")
            page.goto(address)
            page.get_by_label("Email").fill(user["email"])
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Sign in", exact=True).click()
            expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
            keep(page, secure.stack, "provider-second-factor-passkey")
            page.get_by_role("button", name="Sign in with a passkey").click()
            expect(page.get_by_text(user["email"])).to_be_visible()
            assert page.url == f"{address}/"
        with page_of(browser, **trusting, java_script_enabled=False) as page:
            page.goto(address)
            expect(page.get_by_label("Password")).to_be_visible()
            expect(page.locator("#passkey")).to_be_hidden()


@pytest.mark.parametrize(("algorithm", "mode"), [("ES256", "query"), ("RS256", "form_post")])
def test_mod_auth_openidc(secure, tmp_path, algorithm, mode):
    apache, port = client_packages.apache(), free_port()
    secure = replace(secure, user=secure.stack.verified_user())  # all of its sessions end
    told = {"backchannel_logout_uri": f"http://127.0.0.1:{port}/callback?logout=backchannel"}
    known = register(secure, "Apache", port, "/callback", bye="/bye.html", signing_algorithm=algorithm, **told)
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "index.html").write_text('signed in: <!--#echo var="REMOTE_USER" -->\n')
    (pages / "bye.html").write_text("signed out\n")
    for folder in (*list(tmp_path.parents)[:2], tmp_path, pages):
        folder.chmod(0o755)
    tmp_path.chmod(0o777)  # its workers are another user's
    variables = {
        "FOLDER": str(tmp_path),
        "MODULES": "/usr/lib/apache2/modules",
        "AUTHORITY": str(secure.authority),
        "PASSPHRASE": secrets.token_hex(16),
        "ALGORITHM": algorithm,
        "RESPONSE_MODE": mode,
    }
    configuration = client_packages.PROGRAMS / "apache.conf"
    command = [apache, "-D", "FOREGROUND", "-f", configuration]
    with application(secure, "apache", command, port=port, **known, **variables) as address:
        browser = secure.browser()
        sign_in(secure, browser, address)
        gone = browser.open(f"{address}/callback?logout={address}/bye.html")
        assert "signed out" in gone.text, (gone.url, gone.text)
        assert_signed_out(secure, browser, address)

        browser = secure.browser()
        page = browser.sign_in(browser.open(address), secure.user["email"], PASSWORD)
        if mode == "form_post":
            page = browser.send(page)
        assert secure.user["email"] in page.text
        assert_signed_out_by_back_channel(secure, browser, address)
    proven = "consent, RP-initiated and back-channel logout"
    print(f"Apache mod_auth_openidc with {algorithm}: code with PKCE, {mode}, {proven}")


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_oauth2_proxy(secure, algorithm):
    program, port = client_packages.oauth2_proxy(), free_port()
    changes = {"grant_types": ["authorization_code", "refresh_token"], "signing_algorithm": algorithm}
    known = register(secure, "oauth2-proxy", port, "/oauth2/callback", **changes)
    address = f"http://127.0.0.1:{port}"
    options = [
        "--provider=oidc",
        f"--oidc-issuer-url={secure.issuer}",
        f"--http-address=127.0.0.1:{port}",
        f"--redirect-url={address}/oauth2/callback",
        "--upstream=static://202",
        "--email-domain=*",
        "--code-challenge-method=S256",
        "--scope=openid email offline_access",
        "--skip-provider-button",
        f"--oidc-enabled-signing-alg={algorithm}",
        "--cookie-secure=false",
        "--cookie-refresh=1s",
        f"--provider-ca-file={secure.authority}",
    ]
    variables = {
        "OAUTH2_PROXY_CLIENT_ID": known["CLIENT_ID"],
        "OAUTH2_PROXY_CLIENT_SECRET": known["CLIENT_SECRET"],
        "OAUTH2_PROXY_COOKIE_SECRET": secrets.token_hex(16),
    }
    name = f"oauth2-proxy-{algorithm}"
    with application(secure, name, [program, *options], port=port, **variables):
        browser = secure.browser()
        page = browser.sign_in(browser.open(address), secure.user["email"], PASSWORD)
        assert page.status_code == 202 and page.url.startswith(address), (page.url, page.text)

        def is_refreshed():
            told = browser.open(f"{address}/oauth2/userinfo").json()
            assert told["email"] == secure.user["email"]
            return "refreshing session" in secure.stack.log(name).lower()

        eventually(is_refreshed)
        assert "unable to refresh" not in secure.stack.log(name).lower()
    print(f"oauth2-proxy 7: discovery, code with PKCE, consent, ID token with {algorithm}, refresh")


def private_key():
    """A new key on P-256, as a JWK."""
    return ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True) | {"kid": "1"}


@pytest.mark.parametrize(
    ("algorithm", "method", "pkce"),
    [
        ("RS256", "client_secret_basic", False),
        ("ES256", "client_secret_basic", True),
        ("RS256", "private_key_jwt", True),
    ],
)
def test_spring_security(secure, tmp_path, algorithm, method, pkce):
    classes, libraries = client_packages.spring_application()
    secure = replace(secure, user=secure.stack.verified_user())  # all of its sessions end
    port = free_port()
    changes = {"signing_algorithm": algorithm, "token_endpoint_auth_method": method, "require_pkce": pkce}
    variables = {"PKCE": str(pkce)}
    if method == "private_key_jwt":
        key = private_key()
        variables["PRIVATE_KEY"] = json.dumps(key)
        changes["jwks"] = {"keys": [{name: value for name, value in key.items() if name != "d"}]}
    if algorithm == "RS256":
        changes["backchannel_logout_uri"] = f"http://127.0.0.1:{port}/logout/connect/back-channel/tessera"
    else:
        variables["ALGORITHM"] = algorithm
    known = register(secure, "Spring", port, "/login/oauth2/code/tessera", bye="/bye", **changes)
    store = tmp_path / "authorities.p12"
    imported = ["keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", str(secure.authority)]
    subprocess.run(
        [*imported, "-keystore", str(store), "-storepass", "changeit"], check=True, capture_output=True, timeout=120
    )
    prefix = "--spring.security.oauth2.client"
    options = [
        f"--server.port={port}",
        "--server.address=127.0.0.1",
        f"{prefix}.provider.tessera.issuer-uri={secure.issuer}",
        f"{prefix}.registration.tessera.scope=openid,profile,email",
        f"{prefix}.registration.tessera.client-authentication-method={method}",
        f"{prefix}.registration.tessera.redirect-uri=http://127.0.0.1:{port}/login/oauth2/code/tessera",
    ]
    variables["SPRING_SECURITY_OAUTH2_CLIENT_REGISTRATION_TESSERA_CLIENTID"] = known["CLIENT_ID"]
    if known["CLIENT_SECRET"]:
        variables["SPRING_SECURITY_OAUTH2_CLIENT_REGISTRATION_TESSERA_CLIENTSECRET"] = known["CLIENT_SECRET"]
    trust = [f"-Djavax.net.ssl.trustStore={store}", "-Djavax.net.ssl.trustStorePassword=changeit"]
    command = ["java", *trust, "-cp", f"{classes}{os.pathsep}{libraries}", "org.example.Application", *options]
    with application(secure, "spring", command, port=port, **variables) as address:
        browser = secure.browser()
        sign_in(secure, browser, address)
        assert "signed out" in browser.open(f"{address}/logout").text
        assert_signed_out(secure, browser, address)
        if "backchannel_logout_uri" in changes:
            browser = secure.browser()
            browser.sign_in(browser.open(address), secure.user["email"], PASSWORD)
            assert_signed_out_by_back_channel(secure, browser, address)
    proof = "PKCE" if pkce else "nonce and no PKCE"
    print(f"Spring Security 6 with {algorithm}: discovery, code with {proof}, {method}, consent, RP-initiated logout")
