"""An attacker's pass over codes, tokens and the endpoints for clients, through the gateway with TLS."""

import base64
import hashlib
import hmac
import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from evidence.harness.secure_stack import CHALLENGE, VERIFIER
from evidence.harness.stack import PASSWORD


def credentials(client):
    return client["client_id"], client["client_secret"]


def userinfo(secure, token):
    return requests.get(
        secure.discovery()["userinfo_endpoint"],
        headers={"Authorization": f"Bearer {token}"},
        verify=str(secure.authority),
        timeout=60,
    )


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


def test_a_code_that_is_redeemed_eight_times_at_once_gives_tokens_once_at_most(secure, client):
    code = secure.came_back(client)["code"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: secure.redeem(client, code=code), range(8)))

    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 7]
    token = next(answer.json()["access_token"] for answer in answers if answer.ok)
    assert userinfo(secure, token).status_code == 401  # the others were replays


@pytest.mark.parametrize("pair", [b"%00:secret", b"id:%00", b"\xff\xfe:secret", b":", b"no colon"])
@pytest.mark.parametrize("endpoint", ["token", "introspection", "revocation", "pushed_authorization_request"])
def test_malformed_credentials_are_an_invalid_client(secure, pair, endpoint):
    header = {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}

    answer = secure.post(f"{endpoint}_endpoint", {"token": "x"}, headers=header)

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


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
