import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from rest_framework.exceptions import AuthenticationFailed

from chassis.http.errors import ServiceUnavailable
from chassis.security import public_keys, tokens
from chassis.testing.signing import SigningKeys
from chassis.testing.waiting import eventually

KEYS = SigningKeys()


def verify(token):
    return tokens.verify(token, keys=KEYS, audiences=["tessera"])


def test_a_valid_token_identifies_the_caller():
    principal = verify(KEYS.user_token(user_id=7, admin=True))

    assert (principal.user_id, principal.is_admin, principal.session_id) == (7, True, 1)
    assert principal.may_act_for(8)


class OneKey:
    """A source that returns the same key object each time, as a service's does."""

    def __init__(self):
        self.known = KEYS.key(KEYS.kid)

    def key(self, kid):
        if self.known is None:
            raise public_keys.UnknownKey(kid)
        return self.known


def test_a_cached_token_is_rejected_once_it_has_expired_or_its_key_is_gone(monkeypatch):
    source, now = OneKey(), time.time()
    lasting, token = (KEYS.user_token(user_id=7, exp=int(now) + seconds) for seconds in (600, 60))
    assert tokens.verify(token, keys=source, audiences=["tessera"]) == verify(token)

    with monkeypatch.context() as later:
        later.setattr(tokens.time, "time", lambda: now + 60 + tokens.CLOCK_SKEW_SECONDS + 1)
        with pytest.raises(AuthenticationFailed, match="expired"):
            tokens.verify(token, keys=source, audiences=["tessera"])
    with pytest.raises(AuthenticationFailed):
        tokens.verify(token, keys=source, audiences=["users-ms"])
    assert tokens.verify(lasting, keys=source, audiences=["tessera"]).user_id == 7
    source.known = None
    with pytest.raises(AuthenticationFailed):
        tokens.verify(lasting, keys=source, audiences=["tessera"])


def test_a_user_may_act_only_for_itself():
    principal = verify(KEYS.user_token(user_id=7))

    assert principal.may_act_for(7)
    assert not principal.may_act_for(8)


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 1},
        {"exp": None},
        {"iat": 4102444800},
        {"iss": "somebody"},
        {"iss": None},
        {"aud": "users-ms"},
        {"aud": None},
        {"jti": None},
        {"sub": None},
        {"sub": "not a number"},
        {"sid": None},
    ],
)
def test_a_token_with_a_wrong_or_missing_claim_is_rejected(changes):
    with pytest.raises(AuthenticationFailed):
        verify(KEYS.user_token(user_id=7, **changes))


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "AT+JWT", "JWT"])
def test_the_token_types_of_this_and_the_previous_release_are_accepted(typ):
    claims = {"sub": "7", "aud": "tessera", "sid": "1"}

    assert verify(KEYS.sign(claims, typ=typ)).user_id == 7


@pytest.mark.parametrize("typ", ["dpop+jwt", "id+jwt", "secevent+jwt", ""])
def test_a_token_of_another_type_is_rejected(typ):
    with pytest.raises(AuthenticationFailed):
        verify(KEYS.sign({"sub": "7", "aud": "tessera", "sid": "1"}, typ=typ))


def hs256_with_the_public_key() -> str:
    public_key = KEYS.private_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    header = jwt.utils.base64url_encode(json.dumps({"alg": "HS256", "kid": KEYS.kid, "typ": "at+jwt"}).encode())
    payload = KEYS.user_token(user_id=7).split(".")[1].encode()
    import hashlib
    import hmac

    signature = hmac.new(public_key, header + b"." + payload, hashlib.sha256).digest()
    return (header + b"." + payload + b"." + jwt.utils.base64url_encode(signature)).decode()


def unsigned() -> str:
    header = jwt.utils.base64url_encode(json.dumps({"alg": "none", "kid": KEYS.kid, "typ": "at+jwt"}).encode()).decode()
    return f"{header}.{KEYS.user_token(user_id=7).split('.')[1]}."


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b.c",
        "ü.ü.ü",
        "a" * 5000,
        KEYS.user_token(user_id=7)[:-4],
        KEYS.sign({"sub": "7", "aud": "tessera", "sid": "1"}, kid="unknown"),
        SigningKeys().user_token(user_id=7),
        hs256_with_the_public_key(),
        unsigned(),
    ],
    ids=[
        "empty",
        "text",
        "dots",
        "not-ascii",
        "long",
        "truncated",
        "unknown-kid",
        "other-key",
        "hs256",
        "none",
    ],
)
def test_a_forged_token_is_rejected(token):
    with pytest.raises(AuthenticationFailed):
        verify(token)


@pytest.fixture
def publisher():
    """A web server that publishes the test key and counts its requests."""

    class Handler(BaseHTTPRequestHandler):
        asked = 0
        goes_on = threading.Event()
        goes_on.set()

        def do_GET(self):
            Handler.asked += 1
            Handler.goes_on.wait()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"keys": [KEYS.members]}).encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    yield server, Handler
    Handler.goes_on.set()
    server.shutdown()
    server.server_close()


def test_published_keys_are_fetched_once_and_outlive_an_outage(publisher):
    server, handler = publisher
    keys = public_keys.PublishedKeys(f"http://127.0.0.1:{server.server_port}/jwks.json")

    assert keys.key(KEYS.kid).key_id == KEYS.kid
    server.shutdown()
    server.server_close()
    keys._fetched_at = -float("inf")  # as if fetched long ago
    keys._asked_at = -float("inf")

    assert keys.key(KEYS.kid).key_id == KEYS.kid
    assert handler.asked == 1


def test_known_keys_are_used_while_auth_ms_hangs(publisher):
    server, handler = publisher
    keys = public_keys.PublishedKeys(f"http://127.0.0.1:{server.server_port}/jwks.json")
    keys.key(KEYS.kid)
    keys._fetched_at = keys._asked_at = -float("inf")  # as if fetched long ago
    handler.goes_on.clear()
    asking = threading.Thread(target=keys.key, args=(KEYS.kid,))
    asking.start()
    eventually(lambda: handler.asked == 2)

    assert keys.key(KEYS.kid).key_id == KEYS.kid
    assert asking.is_alive(), "it waited for the thread that fetches"

    handler.goes_on.set()
    asking.join()


def test_forged_key_names_do_not_flood_auth_ms(publisher):
    server, handler = publisher
    keys = public_keys.PublishedKeys(f"http://127.0.0.1:{server.server_port}/jwks.json")

    for number in range(50):
        with pytest.raises(public_keys.UnknownKey):
            keys.key(f"forged-{number}")

    assert handler.asked == 1


def test_without_any_key_the_answer_is_503():
    with pytest.raises(ServiceUnavailable):
        public_keys.PublishedKeys("http://127.0.0.1:1/jwks.json").key("any")
