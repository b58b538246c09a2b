"""DPoP: tokens that work only with the key of the client that got them (RFC 9449)."""

import time
from datetime import timedelta

import jwt
import pytest
import time_machine
from django.conf import settings
from django.test import Client
from django.utils import timezone

from auth.tests import oauth
from auth.tests.signing import Key, hash_of
from auth_ms.models import UsedJWT
from auth_ms.provider import jwk
from auth_ms.provider.services import dpop, pruning

pytestmark = pytest.mark.django_db
KEY, OTHER = Key(), Key()
USERINFO = "/auth-ms/oauth/userinfo"
PUBLIC = {"token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "refresh_token"]}


def own_token(app, headers):
    return app.post("token", headers, grant_type="client_credentials")


def tokens_of(app, browser, key=KEY, **changes):
    answer = app.redeem(app.code(browser, **changes), key.proof())
    assert answer.status_code == 200, answer.content
    return answer.json()


def refresh(app, tokens, headers=None):
    return app.post("token", headers, grant_type="refresh_token", refresh_token=tokens["refresh_token"])


def confirmation_of(tokens):
    return jwt.decode(tokens["access_token"], options={"verify_signature": False}).get("cnf")


def userinfo(tokens, *, scheme="DPoP", proof=None, **changes):
    token = tokens["access_token"]
    known = {"htm": "GET", "ath": hash_of(token)} | changes
    headers = {"Authorization": f"{scheme} {token}"} | (KEY.proof("userinfo", **known) if proof is None else proof)
    return Client().get(USERINFO, headers=headers)


def is_refused(answer, error, status=400):
    return (answer.status_code, answer.json()["error"]) == (status, error)


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "PS256"])
def test_a_token_is_bound_to_the_key_of_the_proof(app, algorithm):
    key = Key(algorithm)

    answer = own_token(app, key.proof())

    assert answer.json()["token_type"] == "DPoP"
    assert confirmation_of(answer.json()) == {"jkt": key.thumbprint}
    assert answer["DPoP-Nonce"] == dpop.nonce(at=timezone.now())


def test_without_a_proof_tokens_are_bearer_tokens(app):
    answer = own_token(app, {})

    assert answer.json()["token_type"] == "Bearer"
    assert confirmation_of(answer.json()) is None
    assert "DPoP-Nonce" not in answer


def test_the_thumbprint_is_that_of_the_example_of_rfc_7638():
    """RFC 7638, §3.1."""
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7"  # pragma: allowlist secret
        "aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXA"  # pragma: allowlist secret
        "rwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7"  # pragma: allowlist secret
        "d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lF"  # pragma: allowlist secret
        "d2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"  # pragma: allowlist secret
    )
    key = jwk.public_key({"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256"}, algorithm="RS256")

    assert jwk.thumbprint(key) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"  # pragma: allowlist secret


IN_THE_PAST, IN_THE_FUTURE = "ten minutes ago", "in ten minutes"  # seen from the test, which may run much later
PRIVATE = jwt.get_algorithm_by_name("ES256").to_jwk(KEY.private, as_dict=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"htm": "GET"},
        {"htm": "post"},
        {"htm": None},
        {"htu": f"{settings.PUBLIC_URL}/auth-ms/oauth/par"},
        {"htu": "https://other.example/auth-ms/oauth/token"},
        {"htu": f"{settings.PUBLIC_URL}:1/auth-ms/oauth/token"},
        {"htu": f"{settings.PUBLIC_URL}/auth-ms/oauth/token/"},
        {"htu": "http://["},
        {"htu": 5},
        {"htu": None},
        {"iat": IN_THE_PAST},
        {"iat": IN_THE_FUTURE},
        {"iat": "now"},
        {"iat": True},
        {"iat": None},
        {"jti": None},
        {"jti": 5},
        {"header": {"typ": "JWT"}},
        {"header": {"typ": "at+jwt"}},
        {"header": {"typ": None}},
        {"header": {"jwk": OTHER.public}},
        {"header": {"jwk": PRIVATE}},
        {"header": {"jwk": {"kty": "oct", "k": "c2VjcmV0"}}},
        {"header": {"jwk": Key("RS256").public}},
        {"header": {"jwk": None}},
        {"header": {"jwk": "x"}},
        {"header": {"crit": ["b64"]}},
    ],
)
def test_a_proof_of_another_request_or_form_is_invalid(app, changes):
    times = {IN_THE_PAST: int(time.time()) - 600, IN_THE_FUTURE: int(time.time()) + 600}
    if changes.get("iat") in times:
        changes = {"iat": times[changes["iat"]]}

    assert is_refused(own_token(app, KEY.proof(**changes)), "invalid_dpop_proof")


def test_query_and_default_port_of_htu_do_not_matter(app):
    proof = KEY.proof(htu=f"{settings.PUBLIC_URL}/auth-ms/oauth/token?a=b#c")

    assert own_token(app, proof).status_code == 200


@pytest.mark.parametrize("proof", ["x", "a.b.c", "e30.e30.e30", "x" * 9000])
def test_what_is_no_proof_is_invalid(app, proof):
    assert is_refused(own_token(app, {"DPoP": proof}), "invalid_dpop_proof")


def test_two_proofs_at_once_are_invalid(app):
    both = f"{KEY.proof()['DPoP']},{KEY.proof()['DPoP']}"

    assert is_refused(own_token(app, {"DPoP": both}), "invalid_dpop_proof")


def test_signatures_with_a_secret_or_none_are_invalid(app):
    claims = jwt.decode(KEY.proof()["DPoP"], options={"verify_signature": False})
    header = {"typ": "dpop+jwt", "jwk": KEY.public}
    for forged in (jwt.encode(claims, KEY.public["x"], "HS256", header), jwt.encode(claims, "", "none", header)):
        assert is_refused(own_token(app, {"DPoP": forged}), "invalid_dpop_proof")


def test_our_own_tokens_are_no_proofs(app):
    token = own_token(app, {}).json()["access_token"]

    assert is_refused(own_token(app, {"DPoP": token}), "invalid_dpop_proof")


def test_a_proof_works_once(app):
    proof = KEY.proof()

    assert own_token(app, proof).status_code == 200
    assert is_refused(own_token(app, proof), "invalid_dpop_proof")


def test_a_used_proof_is_remembered_for_as_long_as_its_nonce_is_accepted(app):
    now = time.time()
    with time_machine.travel(now - now % 120, tick=False) as clock:  # the beginning of a period, the worst case
        proof = KEY.proof()
        own_token(app, proof)
        clock.shift(239)
        pruning.prune(at=timezone.now())
        assert is_refused(own_token(app, proof), "invalid_dpop_proof")
        clock.shift(2)
        pruning.prune(at=timezone.now())

        assert not UsedJWT.objects.exists()
        assert is_refused(own_token(app, proof), "use_dpop_nonce")


@pytest.mark.parametrize("nonce", [None, "x", 5, ""])
def test_a_proof_without_a_nonce_of_now_is_answered_with_one(app, nonce):
    answer = own_token(app, KEY.proof(nonce=nonce))

    assert is_refused(answer, "use_dpop_nonce")
    assert own_token(app, KEY.proof(nonce=answer["DPoP-Nonce"])).status_code == 200


def test_a_nonce_is_accepted_for_two_to_four_minutes(app):
    at = timezone.now()
    recent, old = dpop.nonce(at=at - timedelta(minutes=2)), dpop.nonce(at=at - timedelta(minutes=4))

    with time_machine.travel(at, tick=False):
        assert own_token(app, KEY.proof(nonce=recent)).status_code == 200
        assert is_refused(own_token(app, KEY.proof(nonce=old)), "use_dpop_nonce")


def test_a_client_registered_for_bound_tokens_gets_no_others(app):
    app.change(dpop_bound_access_tokens=True)

    assert is_refused(own_token(app, {}), "invalid_dpop_proof")
    assert own_token(app, KEY.proof()).status_code == 200


def test_a_code_is_bound_to_the_key_that_the_authorization_request_names(app, browser):
    named = {"dpop_jkt": KEY.thumbprint}

    assert is_refused(app.redeem(app.code(browser, **named), OTHER.proof()), "invalid_grant")
    assert is_refused(app.redeem(app.code(browser, **named)), "invalid_grant")
    assert app.redeem(app.code(browser, **named), KEY.proof()).status_code == 200


def test_a_malformed_thumbprint_is_an_invalid_request(app, browser):
    assert oauth.members_of(app.authorize(browser, dpop_jkt="x"))["error"] == "invalid_request"


def test_a_pushed_request_binds_its_code_to_the_key_of_its_proof(app, browser):
    def push(headers, **changes):
        return app.post("par", headers, **app.query(**changes))

    pushed = push(KEY.proof("par")).json()["request_uri"]
    by_other, by_same = (
        app.redeem(app.code(browser, request_uri=uri), key.proof())
        for uri, key in ((pushed, OTHER), (push(KEY.proof("par")).json()["request_uri"], KEY))
    )

    assert is_refused(by_other, "invalid_grant")
    assert by_same.status_code == 200
    assert is_refused(push(KEY.proof("par"), dpop_jkt=OTHER.thumbprint), "invalid_dpop_proof")
    assert is_refused(push(KEY.proof("par", nonce="x")), "use_dpop_nonce")
    assert push(KEY.proof("par"), dpop_jkt=KEY.thumbprint).status_code == 201


def test_the_refresh_token_of_a_public_client_works_only_with_its_key(browser):
    public = oauth.register(**PUBLIC)
    tokens = tokens_of(public, browser, redirect_uri=oauth.CALLBACK)

    assert is_refused(refresh(public, tokens), "invalid_grant")
    assert is_refused(refresh(public, tokens, OTHER.proof()), "invalid_grant")
    renewed = refresh(public, tokens, KEY.proof())
    assert renewed.json()["token_type"] == "DPoP"
    assert confirmation_of(renewed.json()) == {"jkt": KEY.thumbprint}
    assert is_refused(refresh(public, renewed.json()), "invalid_grant")


def test_a_client_that_authenticates_may_change_its_key_at_a_refresh(app, browser):
    tokens = tokens_of(app, browser)

    renewed = refresh(app, tokens, OTHER.proof())

    assert confirmation_of(renewed.json()) == {"jkt": OTHER.thumbprint}


def test_userinfo_answers_the_holder_of_the_key(app, browser):
    answer = userinfo(tokens_of(app, browser))

    assert answer.json()["sub"] == "7"
    assert answer["DPoP-Nonce"]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"ath": None}, "invalid_dpop_proof"),
        ({"ath": "x"}, "invalid_dpop_proof"),
        ({"ath": hash_of("another token")}, "invalid_dpop_proof"),
        ({"htm": "POST"}, "invalid_dpop_proof"),
        ({"nonce": None}, "use_dpop_nonce"),
        ({"proof": {}}, "invalid_dpop_proof"),
        ({"scheme": "Bearer"}, "invalid_token"),
        ({"scheme": "Bearer", "proof": {}}, "invalid_token"),
    ],
)
def test_userinfo_refuses_a_bound_token_without_the_proof(app, browser, changes, error):
    answer = userinfo(tokens_of(app, browser), **changes)

    assert is_refused(answer, error, status=401)
    assert answer["WWW-Authenticate"].startswith(f'DPoP realm="tessera", error="{error}"')
    assert 'algs="ES256 PS256 RS256"' in answer["WWW-Authenticate"]


def test_a_thief_with_a_key_of_its_own_gets_nothing(app, browser):
    tokens = tokens_of(app, browser)
    stolen = OTHER.proof("userinfo", htm="GET", ath=hash_of(tokens["access_token"]))

    assert is_refused(userinfo(tokens, proof=stolen), "invalid_token", status=401)


def test_a_bearer_token_does_not_become_a_bound_one(app, browser):
    tokens = app.redeem(app.code(browser)).json()

    assert is_refused(userinfo(tokens), "invalid_token", status=401)
    assert userinfo(tokens, scheme="Bearer", proof={}).status_code == 200


def test_userinfo_names_both_schemes_to_who_sends_no_token():
    challenges = Client().get(USERINFO)["WWW-Authenticate"]

    assert challenges.startswith('Bearer realm="tessera", DPoP realm="tessera"')


def test_introspection_tells_the_key(app):
    token = own_token(app, KEY.proof()).json()["access_token"]

    told = app.post("introspect", token=token).json()

    assert (told["active"], told["token_type"], told["cnf"]) == (True, "DPoP", {"jkt": KEY.thumbprint})


def test_a_bound_token_opens_nothing_of_the_account_api(app, browser):
    token = tokens_of(app, browser)["access_token"]
    for scheme in ("Bearer", "DPoP"):
        headers = {"Authorization": f"{scheme} {token}"}
        assert Client(headers=headers).get("/auth-ms/auth/sessions").status_code == 401


def test_discovery_lists_the_algorithms(client):
    document = client.get("/auth-ms/.well-known/openid-configuration").json()

    assert document["dpop_signing_alg_values_supported"] == ["ES256", "PS256", "RS256"]
    assert "private_key_jwt" in document["token_endpoint_auth_methods_supported"]
    assert document["token_endpoint_auth_signing_alg_values_supported"] == ["ES256", "PS256", "RS256"]


def test_pages_may_send_proofs_and_read_nonces(app):
    app.change(web_origins=["https://app.example.org"])
    headers = {"Origin": "https://app.example.org"}

    answer = Client().options("/auth-ms/oauth/token", headers=headers)

    assert "DPoP" in answer["Access-Control-Allow-Headers"]
    assert "DPoP-Nonce" in answer["Access-Control-Expose-Headers"]
