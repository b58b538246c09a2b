import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.http import HttpResponse
from django.test import RequestFactory, override_settings
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.response import Response
from rest_framework.views import APIView

from chassis.http import rate_limit_headers
from chassis.http.errors import ServiceUnavailable, TooManyRequests
from chassis.security import authentication, authority, permissions, tokens
from chassis.testing.signing import SigningKeys

KEYS = SigningKeys()


class AuthStandIn(BaseHTTPRequestHandler):
    """A fake auth-ms: responds with the server's `answers`, by path."""

    def do_GET(self):
        self.server.seen.append((self.path, self.headers["Authorization"]))
        status, body, *headers = self.server.answers[self.path]
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def auth():
    server = ThreadingHTTPServer(("127.0.0.1", 0), AuthStandIn)
    server.seen, server.answers = [], {}
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    with override_settings(AUTH_URL=f"http://127.0.0.1:{server.server_port}"):
        yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def own_keys(monkeypatch):
    monkeypatch.setattr("chassis.security.public_keys._key_source", KEYS)


def principal_of(token):
    return tokens.verify(token, keys=KEYS, audiences=["tessera"])


def rights(**changes):
    return 200, {"user_id": 7, "session_id": 1, "is_admin": True, "scopes": ["orders:read"]} | changes


def test_confirmed_scopes_are_those_of_both_token_and_account(auth):
    token = KEYS.user_token(user_id=7, scope="admin orders:write")
    auth.answers["/auth-ms/internal/principal"] = rights(is_admin=False, scopes=["orders:write", "orders:read"])

    confirmed = authority.confirm(principal_of(token), token)

    assert confirmed.scopes == {"orders:write"}
    assert confirmed.is_live
    assert not confirmed.is_admin
    assert auth.seen == [("/auth-ms/internal/principal", f"Bearer {token}")]


@pytest.mark.parametrize("status", [200, 429])
def test_the_limit_of_a_personal_access_token_is_shown_to_who_has_it(auth, status):
    limit = [("RateLimit-Policy", '"personal_token";q=600;w=60'), ("RateLimit", '"personal_token";r=9;t=1')]
    told = {"user_id": 7, "scopes": ["read"], "is_admin": False}
    auth.answers["/auth-ms/internal/personal-principal"] = (status, told, *limit)
    response = HttpResponse()

    with rate_limit_headers.collected() as shown, contextlib.suppress(TooManyRequests):
        authority.ask_for_personal("tsr_pat_x")
    shown.set_headers(response)

    assert [(name, response[name]) for name, _ in limit] == limit


def test_an_ended_session_is_rejected(auth):
    token = KEYS.user_token(user_id=7)
    auth.answers["/auth-ms/internal/principal"] = auth.answers["/auth-ms/internal/session"] = (401, {})

    with pytest.raises(AuthenticationFailed):
        authority.confirm(principal_of(token), token)
    with pytest.raises(AuthenticationFailed):
        authority.check_session(token)


@pytest.mark.parametrize("answer", [(503, {}), (404, {}), (200, []), (200, {"is_admin": True})])
def test_without_a_valid_response_the_decision_fails_closed(auth, answer):
    token = KEYS.user_token(user_id=7)
    auth.answers["/auth-ms/internal/principal"] = answer

    with pytest.raises(ServiceUnavailable):
        authority.confirm(principal_of(token), token)


class ForAdmins(APIView):
    authentication_classes = [authentication.BearerAuthentication]
    permission_classes = [permissions.IsAdmin]

    def get(self, request):
        return Response({"is_live": request.user.is_live})


class ForUsers(APIView):
    authentication_classes = [authentication.BearerAuthentication]
    permission_classes = [permissions.IsUser]

    def get(self, request):
        return Response({"others": permissions.may_act_for(request, 8), "own": permissions.may_act_for(request, 7)})

    post = get


def call(view, method, token):
    request = getattr(RequestFactory(), method)("/", headers={"Authorization": f"Bearer {token}"})
    return view.as_view()(request)


def test_admin_reads_are_decided_live(auth):
    token = KEYS.user_token(user_id=7, admin=True)

    auth.answers["/auth-ms/internal/principal"] = rights()
    assert call(ForAdmins, "get", token).data == {"is_live": True}
    assert call(ForUsers, "get", token).data == {"others": True, "own": True}

    auth.answers["/auth-ms/internal/principal"] = rights(is_admin=False)
    assert call(ForAdmins, "get", token).status_code == 403
    assert call(ForUsers, "get", token).data == {"others": False, "own": True}

    auth.answers["/auth-ms/internal/principal"] = (401, {})
    assert call(ForAdmins, "get", token).status_code == 401


def test_own_data_is_read_by_token_alone_and_written_live(auth):
    token = KEYS.user_token(user_id=7)
    auth.answers["/auth-ms/internal/principal"] = (401, {})

    assert call(ForUsers, "get", token).data == {"others": False, "own": True}
    assert auth.seen == []
    assert call(ForUsers, "post", token).status_code == 401
