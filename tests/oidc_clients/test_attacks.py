"""An attacker's pass over the endpoints that browsers and clients reach, through the gateway with TLS."""

import base64
import hashlib
import hmac
import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from evidence.harness.secure_stack import CALLBACK, CHALLENGE, VERIFIER
from evidence.harness.stack import PASSWORD
from tools.form_browser import Form

API = "https://api.orders.example.org"
HIJACKED = [
    "https://evil.example.com/callback",
    "https://orders.example.org.evil.example.com/callback",
    "https://orders.example.org@evil.example.com/callback",
    "https://evil.example.com\\@orders.example.org/callback",
    "https://orders.example.org:8443/callback",
    "https://orders.example.org:443/callback",
    "https://ORDERS.example.org/callback",
    "https://orders.example.org./callback",
    "https://orders.example.org/CALLBACK",
    "https://orders.example.org/callback/",
    "https://orders.example.org/callback/../steal",
    "https://orders.example.org/callback/%2e%2e/steal",
    "https://orders.example.org//callback",
    "https://orders.example.org/callback?next=https://evil.example.com",
    "https://orders.example.org/callback#fragment",
    "https://orders.example.org/c%61llback",
    "https://orders.example.org/callbac\u212a",
    "https://\u043erders.example.org/callback",
    "http://orders.example.org/callback",
    "HTTPS://orders.example.org/callback",
    "https:orders.example.org/callback",
    "//orders.example.org/callback",
    " https://orders.example.org/callback",
    "https://orders.example.org/callback\n",
    "https://orders.example.org/callback\x00",
    "https://orders.example.org/callback https://evil.example.com",
    "javascript:alert(1)//https://orders.example.org/callback",
    "data:text/html,https://orders.example.org/callback",
    "http://127.0.0.1:1/callback",
    "*",
    "",
]


@pytest.fixture(scope="module")
def client(secure):
    """A confidential client that users are not asked about."""
    return register(secure, first_party=True)


@pytest.fixture(scope="module")
def asking(secure):
    """A client that asks users for consent."""
    return register(secure)


def register(secure, **changes):
    usual = {
        "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
        "redirect_uris": [CALLBACK],
        "scopes": ["openid", "email", "orders:read"],
        "resources": [API],
    }
    return secure.register("Orders", **usual | changes)


@pytest.fixture(scope="module")
def tokens(secure, client):
    """Everything that a user's code gives."""
    return secure.redeem(client, code=secure.came_back(client)["code"]).json()


def credentials(client):
    return client["client_id"], client["client_secret"]


def userinfo(secure, token):
    return requests.get(
        secure.discovery()["userinfo_endpoint"],
        headers={"Authorization": f"Bearer {token}"},
        verify=str(secure.authority),
        timeout=60,
    )


@pytest.mark.parametrize("uri", HIJACKED)
def test_no_other_redirect_uri_is_accepted(secure, client, uri):
    page = secure.browser().open(secure.authorization_url(client, redirect_uri=uri))
    pushed = secure.post(
        "pushed_authorization_request_endpoint",
        {"response_type": "code", "redirect_uri": uri, "scope": "openid", "code_challenge": CHALLENGE},
        auth=credentials(client),
    )

    assert page.status_code == 400 and "Location" not in page.headers and 'name="password"' not in page.text
    assert pushed.status_code == 400 and pushed.json()["error"] == "invalid_request"


@pytest.mark.parametrize("name", ["redirect_uri", "client_id", "state", "scope", "response_type"])
def test_a_parameter_that_is_sent_twice_is_rejected(secure, client, name):
    url = secure.authorization_url(client) + "&" + urlencode({name: "https://evil.example.com/callback"})

    page = secure.browser().open(url)

    assert page.status_code == 400 and "Location" not in page.headers


def test_a_replayed_code_ends_what_its_first_use_gave(secure, client):
    code = secure.came_back(client)["code"]
    first = secure.redeem(client, code=code).json()
    assert userinfo(secure, first["access_token"]).status_code == 200

    again = secure.redeem(client, code=code)

    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert userinfo(secure, first["access_token"]).status_code == 401
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    assert secure.post("token_endpoint", form, auth=credentials(client)).json()["error"] == "invalid_grant"


def test_a_code_is_of_one_client_one_verifier_and_one_redirect_uri(secure, client, asking):
    code = secure.came_back(client)["code"]
    wrong = [
        secure.redeem(asking, code=code),
        secure.redeem(client, code=code, code_verifier=VERIFIER[:-1] + "~"),
        secure.redeem(client, code=code, code_verifier=""),
        secure.redeem(client, code=code, code_verifier=CHALLENGE),
        secure.redeem(client, code=code, redirect_uri="https://orders.example.org/other"),
    ]

    assert [answer.json()["error"] for answer in wrong] == ["invalid_grant"] * 5
    assert secure.redeem(client, code=code).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": "", "code_challenge_method": ""},
        {"code_challenge": "", "code_challenge_method": "S256"},
        {"code_challenge": VERIFIER, "code_challenge_method": "plain"},
        {"code_challenge": VERIFIER, "code_challenge_method": ""},
        {"response_type": "token"},
        {"response_type": "code token"},
        {"response_type": "none"},
        {"response_mode": "fragment"},
        {"scope": "admin"},
        {"scope": "service"},
        {"request_uri": "http://127.0.0.1:1/request"},
        {"request": "e30.e30."},
        {"claims": "[" * 2000},
        {"claims": r'{"id_token": {"sub": {"value": "\u0000"}}}'},
        {"claims": r'{"id_token": {"sub": {"value": "\ud800"}}}'},
        {"max_age": "-1"},
        {"prompt": "none login"},
        {"resource": "tessera"},
        {"resource": "https://api.billing.example.org"},
    ],
    ids=json.dumps,
)
def test_a_weakened_request_goes_back_with_an_error_state_and_issuer(secure, client, changes):
    answer = secure.browser().open(secure.authorization_url(client, **changes))

    assert answer.status_code == 303 and answer.headers["Location"].startswith(f"{CALLBACK}?")
    told = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))
    assert told["state"] == "a-state" and told["iss"] == secure.issuer and "code" not in told
    assert told["error"] in {
        "invalid_request",
        "invalid_scope",
        "invalid_target",
        "request_not_supported",
        "request_uri_not_supported",
        "unsupported_response_type",
    }


@pytest.mark.parametrize("pair", [b"%00:secret", b"id:%00", b"\xff\xfe:secret", b":", b"no colon"])
@pytest.mark.parametrize("endpoint", ["token", "introspection", "revocation", "pushed_authorization_request"])
def test_malformed_credentials_are_an_invalid_client(secure, pair, endpoint):
    header = {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}

    answer = secure.post(f"{endpoint}_endpoint", {"token": "x"}, headers=header)

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_a_code_that_is_redeemed_eight_times_at_once_gives_tokens_once_at_most(secure, client):
    code = secure.came_back(client)["code"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: secure.redeem(client, code=code), range(8)))

    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 7]
    token = next(answer.json()["access_token"] for answer in answers if answer.ok)
    assert userinfo(secure, token).status_code == 401  # the others were replays


def test_a_response_names_its_issuer(secure, client):
    assert secure.came_back(client)["iss"] == secure.issuer
    assert secure.discovery()["authorization_response_iss_parameter_supported"] is True


def test_a_pushed_request_is_of_one_client_and_works_once(secure, client, asking):
    def push():
        form = {"response_type": "code", "redirect_uri": CALLBACK, "scope": "openid", "state": "pushed"}
        form |= {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
        answer = secure.post("pushed_authorization_request_endpoint", form, auth=credentials(client))
        return answer.json()["request_uri"]

    def open_with(by, request_uri, **more):
        query = urlencode({"client_id": by["client_id"], "request_uri": request_uri, **more})
        return secure.browser().open(f"{secure.discovery()['authorization_endpoint']}?{query}")

    request_uri = push()
    assert open_with(asking, request_uri).status_code == 400
    assert 'name="password"' in open_with(client, request_uri).text
    assert open_with(client, request_uri).status_code == 400
    unauthenticated = secure.post("pushed_authorization_request_endpoint", {"client_id": client["client_id"]})
    assert unauthenticated.status_code == 401

    browser = secure.browser()
    evil = {"redirect_uri": "https://evil.example.com/", "state": "other", "scope": "openid email orders:read"}
    query = urlencode({"client_id": client["client_id"], "request_uri": push(), **evil})
    page = browser.open(f"{secure.discovery()['authorization_endpoint']}?{query}")
    came_back = browser.sign_in(page, secure.user["email"], PASSWORD).headers["Location"]
    assert came_back.startswith(f"{CALLBACK}?") and "state=pushed" in came_back


def test_the_decision_needs_the_browser_that_was_asked(secure, asking):
    """CSRF: another site sends the form of an attacker's request, with and without the victim's cookies."""
    attacker, victim = secure.browser(), secure.browser()
    of_attacker = attacker.open(secure.authorization_url(asking))
    sign_in = victim.open(secure.authorization_url(asking))
    consent = victim.send(sign_in, username=secure.user["email"], password=PASSWORD)
    assert 'value="consent"' in consent.text
    action = f"{secure.issuer}/auth-ms/oauth/interaction"
    stolen, own = Form(consent.text).fields, Form(of_attacker.text).fields
    forged = [
        (secure.browser(), stolen | {"decision": "allow"}),  # no cookies, as a form of another site
        (attacker, stolen | {"decision": "allow"}),
        (victim, own | {"step": "consent", "session": stolen["session"], "decision": "allow"}),
        (victim, own | {"username": secure.admin, "password": PASSWORD}),  # sign-in as somebody else
        (victim, stolen | {"session": "1", "decision": "allow"}),
        (victim, {name: value for name, value in stolen.items() if name != "session"} | {"decision": "allow"}),
    ]

    for browser, form in forged:
        answer = browser.session.post(action, form, allow_redirects=False, timeout=60)
        assert answer.status_code == 400 and "Location" not in answer.headers, form
    assert "code=" in victim.send(consent, decision="allow").headers["Location"]
    again = victim.session.post(action, stolen | {"decision": "allow"}, allow_redirects=False, timeout=60)
    assert again.status_code == 400  # a decision counts once


def test_another_client_gets_no_silent_code_without_consent(secure, asking):
    browser = secure.browser()
    page = browser.open(secure.authorization_url(asking, scope="openid"))
    browser.send(page, username=secure.user["email"], password=PASSWORD)  # signed in, not consented
    third = register(secure)

    answer = browser.open(secure.authorization_url(third, prompt="none"))

    assert "error=consent_required" in answer.headers["Location"] and "code=" not in answer.headers["Location"]


def test_the_pages_cannot_be_framed_cached_or_made_to_run_scripts(secure, asking):
    markup = '"><script>alert(1)</script>'
    browser = secure.browser()
    sign_in = browser.open(secure.authorization_url(asking, login_hint=markup, ui_locales=markup, state=markup))
    consent = browser.send(sign_in, username=secure.user["email"], password=PASSWORD)
    error = browser.open(secure.authorization_url(asking, client_id=markup))
    end = browser.open(f"{secure.discovery()['end_session_endpoint']}?{urlencode({'state': markup})}")
    posted = browser.open(secure.authorization_url(asking, response_mode="form_post", prompt="none", state=markup))

    for page in (sign_in, consent, error, end, posted):
        policy = page.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy and "default-src 'none'" in policy and "unsafe" not in policy
        assert "no-store" in page.headers["Cache-Control"] and page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["Strict-Transport-Security"]
        assert "<script>alert" not in page.text
    for cookie in browser.session.cookies:
        attributes = {name.lower(): value for name, value in cookie._rest.items()}
        assert cookie.name.startswith("__Host-") and cookie.secure and cookie.path == "/", cookie
        assert "httponly" in attributes and attributes["samesite"] == "Lax", cookie


def test_a_state_cannot_add_headers_or_parameters(secure, client):
    state = "a\r\nSet-Cookie: evil=1\r\n\r\n&code=evil&iss=https://evil.example.com#"

    told = secure.came_back(client, state=state)

    assert told["state"] == state and told["iss"] == secure.issuer and told["code"] != "evil"


def test_a_logout_leads_to_registered_addresses_only(secure, client, tokens):
    for uri in ("https://evil.example.com/", CALLBACK):
        query = urlencode({"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": uri})
        page = secure.browser().open(f"{secure.discovery()['end_session_endpoint']}?{query}")
        assert page.status_code == 400 and "Location" not in page.headers


def signed_with_the_public_key(secure, token):
    """The token's claims, signed with HMAC and each form of a public key as the secret."""
    header = jwt.get_unverified_header(token)
    keys = requests.get(secure.discovery()["jwks_uri"], verify=str(secure.authority), timeout=60).json()["keys"]
    found = jwt.PyJWK(next(key for key in keys if key["kid"] == header["kid"])).key
    pem = found.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    payload = token.split(".")[1]
    for secret in (pem, pem.strip(), b""):
        head = encoded(header | {"alg": "HS256"})
        signature = hmac.new(secret, f"{head}.{payload}".encode(), hashlib.sha256).digest()
        yield f"{head}.{payload}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def encoded(members):
    return base64.urlsafe_b64encode(json.dumps(members).encode()).decode().rstrip("=")


ATTACKERS_KEY = ec.generate_private_key(ec.SECP256R1())


def forged(secure, token):
    """Variations of an access token that no one signed so."""
    header, (_, payload, signature) = jwt.get_unverified_header(token), token.split(".")
    own_key = jwt.PyJWK.from_dict(json.loads(jwt.algorithms.ECAlgorithm.to_jwk(ATTACKERS_KEY.public_key())))
    yield f"{encoded(header | {'alg': 'none'})}.{payload}."
    yield f"{encoded(header | {'alg': 'NONE'})}.{payload}.{signature}"
    yield from signed_with_the_public_key(secure, token)
    claims = jwt.decode(token, options={"verify_signature": False})
    for extra in ({"jwk": own_key._jwk_data}, {"jku": "https://evil.example.com/"}, {"kid": "../../dev/null"}):
        yield jwt.encode(claims, ATTACKERS_KEY, algorithm="ES256", headers=header | extra)
    changed = encoded(claims | {"sub": "1", "scope": "openid email admin"})
    yield f"{token.split('.')[0]}.{changed}.{signature}"


def test_no_kind_of_token_stands_for_another(secure, client, tokens):
    of_account_api = secure.stack.token_of(secure.user["email"])
    machine = secure.post("token_endpoint", {"grant_type": "client_credentials"}, auth=credentials(client)).json()
    wrong = {
        "ID token": tokens["id_token"],
        "refresh token": tokens["refresh_token"],
        "account API's": of_account_api,
        "machine's": machine["access_token"],
        **{f"forged {number}": token for number, token in enumerate(forged(secure, tokens["access_token"]))},
    }
    statuses = {name: userinfo(secure, token).status_code for name, token in wrong.items()}
    assert set(statuses.values()) == {401}, statuses
    assert userinfo(secure, tokens["access_token"]).status_code == 200

    for name in ("ID token", "account API's"):
        told = secure.post("introspection_endpoint", {"token": wrong[name]}, auth=credentials(client)).json()
        assert told == {"active": False}, name
    for hint in (tokens["access_token"], of_account_api):
        answer = secure.browser().open(secure.authorization_url(client, id_token_hint=hint))
        assert "error=invalid_request" in answer.headers["Location"]
    for grant in ({"grant_type": "refresh_token", "refresh_token": of_account_api}, {"grant_type": "password"}):
        assert secure.post("token_endpoint", grant, auth=credentials(client)).status_code == 400


def test_a_token_of_a_client_opens_nothing_of_the_account_api(secure, client, tokens):
    """Also of an admin, also a machine's, also with the audience chosen by the attacker."""
    machine = secure.post("token_endpoint", {"grant_type": "client_credentials"}, auth=credentials(client)).json()
    browser = secure.browser()
    page = browser.open(secure.authorization_url(client))
    back = browser.sign_in(page, secure.admin, PASSWORD).headers["Location"]
    of_admin = secure.redeem(client, code=dict(parse_qsl(urlsplit(back).query))["code"]).json()
    routes = [
        ("GET", "/users-ms/users/me"),
        ("GET", "/users-ms/users"),
        ("GET", f"/users-ms/internal/credentials?email={secure.user['email']}"),
        ("GET", "/auth-ms/auth/sessions"),
        ("POST", "/auth-ms/auth/logout-all"),
        ("GET", "/auth-ms/clients"),
        ("GET", "/auth-ms/auth/consents"),
        ("GET", "/notification-ms/notifications"),
    ]
    for members in (tokens, machine, of_admin):
        for kind in ("access_token", "id_token"):
            token = members.get(kind)
            for method, path in routes if token else []:
                assert secure.stack.call(method, path, token=token).status_code == 401, (kind, path)
        claims = jwt.decode(members["access_token"], options={"verify_signature": False})
        audience = [claims["aud"]] if isinstance(claims["aud"], str) else claims["aud"]
        assert all(each.startswith("https://") for each in audience), audience
        assert not {"admin", "service", "tessera"} & {*claims["scope"].split(), *audience}
    for resource in ("tessera", "users-ms", "Tessera", "tessera ", "tessera,https://x.example.org"):
        body = {"name": "Evil", "grant_types": ["client_credentials"], "resources": [resource]}
        answer = secure.stack.call("POST", "/auth-ms/clients", body, token=secure.stack.token_of(secure.admin))
        assert answer.status_code == 400, resource


def test_a_client_cannot_take_more_than_it_was_given(secure, client, asking, tokens):
    def asks(form, by=client):
        return secure.post("token_endpoint", form, auth=credentials(by)).json()

    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert asks(refresh, by=asking)["error"] == "invalid_grant"
    assert asks(refresh | {"scope": "openid email orders:read"})["error"] == "invalid_scope"
    assert asks(refresh | {"resource": "tessera"})["error"] == "invalid_target"
    machine = {"grant_type": "client_credentials"}
    for scope in ("admin", "service", "openid", "orders:write"):
        assert asks(machine | {"scope": scope})["error"] == "invalid_scope", scope
    told = secure.post("introspection_endpoint", {"token": tokens["refresh_token"]}, auth=credentials(asking)).json()
    assert told == {"active": False}
    secure.post("revocation_endpoint", {"token": tokens["refresh_token"]}, auth=credentials(asking))
    assert "access_token" in asks(refresh)
