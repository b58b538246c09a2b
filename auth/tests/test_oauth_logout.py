"""Back-channel and front-channel logout: the clients of a session are told, by real HTTP."""

import json
import re
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote_plus

import jwt
import pytest
import time_machine
from celery.exceptions import Reject
from django.test import Client
from django.utils import timezone

from auth.tests import oauth
from auth.tests.builders import as_json, bearer
from auth_ms.accounts import tasks
from auth_ms.keys.services import signing_keys
from auth_ms.models import Grant, LogoutDelivery, Session
from auth_ms.provider.services import access_tokens, back_channel, pruning
from auth_ms.sessions import services as sessions
from chassis.http.client_address import Client as Caller
from chassis.outbox.models import OutboxMessage

pytestmark = pytest.mark.django_db
EVENT = "http://schemas.openid.net/event/backchannel-logout"


class Receiver:
    """An application that answers each logout with the next of `statuses`, then with 200."""

    def __init__(self):
        self.statuses, self.received = [], []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                receiver.received.append((self.headers["Content-Type"], parse_qs(body)))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/logout"

    @property
    def tokens(self):
        return [form["logout_token"][0] for _, form in self.received]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver(settings):
    settings.PRIVATE_CLIENT_NETWORKS = ["127.0.0.0/8"]
    back_channel._breaker.cache_clear()
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def app(receiver):
    return oauth.register(backchannel_logout_uri=receiver.url)


def tokens_of(app, browser, **changes):
    return app.redeem(app.code(browser, **changes)).json()


def logouts():
    return [message.body for message in OutboxMessage.objects.filter(exchange="client_logout_event").order_by("id")]


def work():
    """Handle every logout in the outbox, as the event worker does."""
    for event in logouts():
        tasks.tell_client_of_logout(event=event)


def log_out(browser, tokens):
    assert browser.get("/auth-ms/oauth/end-session", {"id_token_hint": tokens["id_token"]}).status_code == 200


def claims_of(token, algorithm="ES256"):
    key = signing_keys.key_ring(algorithm).published(jwt.get_unverified_header(token)["kid"])
    return jwt.decode(token, key, algorithms=[algorithm], options={"verify_aud": False})


# The logout token


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_a_client_is_told_of_a_logout_with_a_token_as_the_specification_says(app, browser, receiver, algorithm):
    app.change(signing_algorithm=algorithm)
    tokens = tokens_of(app, browser)
    id_token = claims_of(tokens["id_token"], algorithm)

    log_out(browser, tokens)
    work()

    [(content_type, form)] = receiver.received
    [token] = receiver.tokens
    claims = claims_of(token, algorithm)
    assert content_type == "application/x-www-form-urlencoded"
    assert list(form) == ["logout_token"]
    assert jwt.get_unverified_header(token)["typ"] == "logout+jwt"
    assert claims["events"] == {EVENT: {}}
    for name in ("iss", "aud", "sub", "sid"):
        assert claims[name] == id_token[name]
    assert claims["exp"] - claims["iat"] == 120
    assert claims["jti"]
    assert "nonce" not in claims
    [delivery] = LogoutDelivery.objects.all()
    assert (delivery.status, delivery.attempts) == ("delivered", 1)


def test_a_pairwise_client_reads_its_own_pseudonym(app, browser, receiver):
    app.change(subject_type="pairwise")
    tokens = tokens_of(app, browser)

    log_out(browser, tokens)
    work()

    assert claims_of(receiver.tokens[0])["sub"] == claims_of(tokens["id_token"])["sub"] != "7"


def test_a_logout_token_is_neither_an_id_token_nor_an_access_token(app, browser, receiver):
    tokens = tokens_of(app, browser)
    log_out(browser, tokens)
    work()
    [token] = receiver.tokens

    hinted = browser.get("/auth-ms/oauth/end-session", {"id_token_hint": token})

    assert hinted.status_code == 400
    assert access_tokens.find(token, at=timezone.now()) is None
    assert Client(headers={"Authorization": f"Bearer {token}"}).get("/auth-ms/oauth/userinfo").status_code == 401
    assert Client(headers={"Authorization": f"Bearer {token}"}).get("/auth-ms/auth/sessions").status_code == 401


# What ends a session


def ends():
    caller, at = Caller(address="127.0.0.1", user_agent=""), timezone.now
    return {
        "sign-out": lambda user, account: account.post("/auth-ms/auth/logout-all"),
        "the session list": lambda user, account: account.delete(
            f"/auth-ms/auth/sessions/{Session.objects.order_by('id').first().id}"
        ),
        "password change": lambda user, account: account.post(
            "/auth-ms/auth/password/change",
            **as_json({"current_password": oauth.PASSWORD, "new_password": "another correct horse"}),
        ),
        "deactivation": lambda user, account: tasks.erasure.end_access(
            user_id=user["id"], reason="deactivated", at=at()
        ),
        "refresh token reuse": lambda user, account: sessions.end_session(
            Session.objects.order_by("id").first(), event="refresh_token_reuse", client=caller, at=at(), succeeded=False
        ),
    }


@pytest.mark.parametrize("reason", ends())
def test_a_client_is_told_whatever_ends_the_session(app, browser, receiver, ada, sign_in, reason):
    tokens = tokens_of(app, browser)

    answer = ends()[reason](ada, Client(headers=bearer(sign_in())))
    work()

    assert getattr(answer, "status_code", 200) < 300, answer.content
    assert [claims_of(token)["sid"] for token in receiver.tokens] == [claims_of(tokens["id_token"])["sid"]]
    assert app.post("introspect", token=tokens["access_token"]).json() == {"active": False}
    assert app.post("token", grant_type="refresh_token", refresh_token=tokens["refresh_token"]).status_code == 400


def test_a_client_is_told_when_the_user_is_deleted(app, browser, receiver, users_service, ada):
    tokens_of(app, browser)
    users_service.users.clear()

    tasks.erasure.delete_user_data(
        user_id=ada["id"], actor_id=None, client=None, deleted_at=timezone.now(), at=timezone.now()
    )
    work()

    assert len(receiver.tokens) == 1
    assert not Grant.objects.exists()


@pytest.mark.parametrize("setting", ["REFRESH_TOKEN_SECONDS", "SESSION_SECONDS"])
def test_a_client_is_told_when_the_session_has_expired(app, browser, receiver, settings, setting):
    tokens_of(app, browser)
    later = timezone.now() + timedelta(seconds=getattr(settings, setting) + 1)
    if setting == "SESSION_SECONDS":
        Session.objects.update(last_used_at=later)

    pruning.prune(at=timezone.now())
    assert logouts() == []
    pruning.prune(at=later)
    pruning.prune(at=later)
    work()

    assert len(receiver.tokens) == 1


def test_a_client_is_told_when_the_user_disconnects_it(app, browser, receiver, sign_in):
    tokens_of(app, browser)

    answer = Client(headers=bearer(sign_in())).delete(f"/auth-ms/auth/consents/{app.client_id}")
    work()

    assert answer.status_code == 204
    assert len(receiver.tokens) == 1


def test_a_client_is_told_when_its_refresh_token_was_stolen_and_not_when_it_gives_it_back(app, browser, receiver):
    tokens = tokens_of(app, browser)
    app.post("token", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    with time_machine.travel(timezone.now() + timedelta(seconds=60)):
        app.post("token", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    stolen = len(logouts())
    given_back = tokens_of(app, browser)["refresh_token"]
    app.post("revoke", token=given_back)

    assert stolen == 1
    assert len(logouts()) == 1


# Which clients are notified


def test_each_client_is_told_once_and_only_of_its_own_sessions(app, browser, receiver):
    second, silent = oauth.register(backchannel_logout_uri=receiver.url), oauth.register()
    tokens = tokens_of(app, browser)
    tokens_of(app, browser)  # again, as after a reload
    tokens_of(second, browser, scope="openid offline_access")
    tokens_of(silent, browser)
    elsewhere = Client()
    oauth.sign_in(elsewhere, app.authorize(elsewhere))
    tokens_of(app, elsewhere)

    log_out(browser, tokens)
    work()

    told = [claims_of(token) for token in receiver.tokens]
    assert {claims["aud"] for claims in told} == {app.client_id, second.client_id}
    assert len(told) == 2
    assert {claims["sid"] for claims in told} == {claims_of(tokens["id_token"])["sid"]}


def test_a_client_that_never_got_tokens_or_is_inactive_is_not_told(app, browser, receiver):
    oauth.members_of(app.authorize(browser))
    inactive = oauth.register(backchannel_logout_uri=receiver.url)
    tokens_of(inactive, browser)
    inactive.change(is_active=False)

    with time_machine.travel(timezone.now() + timedelta(minutes=2)):  # the code has expired
        Client(headers=bearer({"access_token": ""}))
        sessions.end_sessions_of(user_id=Session.objects.first().user_id, reason="revoked", at=timezone.now())

    assert logouts() == []


def test_a_failure_undoes_the_logout_with_its_event(app, browser, monkeypatch):
    tokens_of(app, browser)
    session = Session.objects.get()

    def fail(*_, **__):
        raise RuntimeError("the audit log is full")

    monkeypatch.setattr("auth_ms.audit.services.record", fail)
    with pytest.raises(RuntimeError):
        sessions.log_out(session_id=session.id, client=Caller(address=None, user_agent=""), at=timezone.now())

    assert Session.objects.filter(revoked_at=None).exists()
    assert logouts() == []


# Retries


@pytest.mark.parametrize("status", [302, 400, 404, 500, 503])
def test_a_client_that_does_not_answer_with_success_is_told_again(app, browser, receiver, later, status):
    receiver.statuses = [status, status]
    log_out(browser, tokens_of(app, browser))
    later.clear()

    work()
    work()
    pending = LogoutDelivery.objects.get()
    work()
    delivered = LogoutDelivery.objects.get()
    work()

    assert (pending.status, pending.attempts, pending.last_error) == ("pending", 2, f"HTTP {status}")
    assert (delivered.status, delivered.attempts, delivered.last_error) == ("delivered", 3, "")
    assert later == [("client_logout_delivery", 2), ("client_logout_delivery", 4)]
    assert len(receiver.tokens) == 3
    assert len({claims_of(token)["jti"] for token in receiver.tokens}) == 3  # a client may reject a repeated one


def test_204_is_a_success_too(app, browser, receiver):
    receiver.statuses = [204]
    log_out(browser, tokens_of(app, browser))

    work()

    assert LogoutDelivery.objects.get().status == "delivered"


def test_a_token_of_a_late_attempt_is_new(app, browser, receiver):
    receiver.statuses = [500]
    log_out(browser, tokens_of(app, browser))
    work()

    with time_machine.travel(timezone.now() + timedelta(hours=5)):
        work()
        claims_of(receiver.tokens[1])  # not expired


def test_after_a_day_the_logout_is_dead_lettered_and_an_admin_begins_it_again(app, browser, receiver, admin_client):
    receiver.statuses = [500]
    log_out(browser, tokens_of(app, browser))
    with time_machine.travel(timezone.now() + timedelta(hours=24, seconds=1)), pytest.raises(Reject):
        work()
    [failed] = admin_client.get("/auth-ms/logout-deliveries?status=failed").json()["results"]

    answer = admin_client.post(f"/auth-ms/logout-deliveries/{failed['id']}/redeliver")
    again = admin_client.post(f"/auth-ms/logout-deliveries/{failed['id']}/redeliver")
    work()

    assert (failed["client_id"], failed["last_error"], failed["attempts"]) == (app.client_id, "HTTP 500", 1)
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    assert again.status_code == 409
    assert LogoutDelivery.objects.get().status == "delivered"


def test_the_log_is_read_by_client_and_state(app, browser, admin_client):
    log_out(browser, tokens_of(app, browser))

    def found(**query):
        return len(admin_client.get("/auth-ms/logout-deliveries", query).json()["results"])

    assert found() == found(client_id=app.client_id) == found(status="pending") == 1
    assert found(client_id="other") == found(status="failed") == 0
    assert admin_client.get("/auth-ms/logout-deliveries?status=lost").status_code == 400
    assert admin_client.post("/auth-ms/logout-deliveries/999/redeliver").status_code == 404


def test_a_client_that_takes_no_logouts_any_more_is_left_alone(app, browser, receiver):
    log_out(browser, tokens_of(app, browser))
    app.change(backchannel_logout_uri="")

    work()

    assert LogoutDelivery.objects.get().status == "cancelled"
    assert receiver.received == []


def test_an_address_that_became_private_is_not_requested(app, browser, receiver, settings, later):
    log_out(browser, tokens_of(app, browser))
    settings.PRIVATE_CLIENT_NETWORKS = []

    work()

    assert receiver.received == []
    assert LogoutDelivery.objects.get().last_error == "Must be https."


def test_a_slow_client_does_not_hold_up_the_others(app, browser, receiver, later, monkeypatch):
    monkeypatch.setattr(back_channel, "SLOW_SECONDS", 0.0)  # every answer counts as slow
    fast = oauth.register(backchannel_logout_uri=receiver.url)
    log_out(browser, tokens_of(app, browser) | {"fast": tokens_of(fast, browser)})
    oauth.sign_in(browser, app.authorize(browser))
    log_out(browser, tokens_of(app, browser))
    later.clear()

    work()

    assert len(receiver.tokens) == 2  # one of each client; the second of the slow one waits
    [(queue, seconds)] = later
    assert queue == "client_logout_delivery"
    assert 0 < seconds <= back_channel.PAUSE_SECONDS


# Registration


@pytest.mark.parametrize(
    "uri",
    [
        "http://orders.example.org/logout",
        "https://127.0.0.1/logout",
        "https://10.0.0.1/logout",
        "https://[::1]/logout",
        "https://169.254.169.254/latest",
        "https://ada@orders.example.org/logout",
        "https://orders.example.org/logout#part",
        "ftp://orders.example.org/logout",
        "logout",
    ],
)
def test_a_back_channel_uri_that_leads_inside_is_rejected(admin_client, uri):
    values = {"name": "Orders", "redirect_uris": [oauth.CALLBACK], "backchannel_logout_uri": uri}

    answer = admin_client.post("/auth-ms/clients", **as_json(values))

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["backchannel_logout_uri"]


@pytest.mark.parametrize(
    "uri", ["https://evil.example/logout", "http://orders.example.org/logout", "https://orders.example.org:444/", "a:b"]
)
def test_a_front_channel_uri_has_the_origin_of_a_redirect_uri(admin_client, uri):
    values = {"name": "Orders", "redirect_uris": [oauth.CALLBACK], "frontchannel_logout_uri": uri}

    answer = admin_client.post("/auth-ms/clients", **as_json(values))

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["frontchannel_logout_uri"]


def test_both_are_registered_and_discovered(admin_client, client):
    values = {
        "backchannel_logout_uri": "https://orders.example.org/back",
        "backchannel_logout_session_required": True,
        "frontchannel_logout_uri": "https://orders.example.org/front?a=b",
        "frontchannel_logout_session_required": True,
    }

    made = admin_client.post(
        "/auth-ms/clients", **as_json({"name": "Orders", "redirect_uris": [oauth.CALLBACK]} | values)
    )
    document = json.loads(client.get("/auth-ms/.well-known/openid-configuration").content)

    assert made.status_code == 201, made.content
    assert {name: made.json()[name] for name in values} == values
    for name in ("backchannel", "frontchannel"):
        assert document[f"{name}_logout_supported"] is document[f"{name}_logout_session_supported"] is True


# Front channel


@pytest.fixture
def framed(browser):
    return oauth.register(frontchannel_logout_uri="https://orders.example.org/front?a=b")


def test_a_logout_loads_the_frames_of_the_clients_and_then_goes_on(framed, browser, settings):
    tokens = tokens_of(framed, browser)
    sid = claims_of(tokens["id_token"])["sid"]

    page = browser.get(
        "/auth-ms/oauth/end-session",
        {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": "https://orders.example.org/", "state": "s"},
    )

    html = page.content.decode()
    [source] = re.findall(r'<iframe src="([^"]+)"', html)
    assert source == f"https://orders.example.org/front?a=b&amp;iss={quote_plus(settings.PUBLIC_URL)}&amp;sid={sid}"
    assert '<meta http-equiv="refresh" content="3;url=https://orders.example.org/?state=s">' in html
    assert '<a href="https://orders.example.org/?state=s">' in html
    assert "frame-src https://orders.example.org;" in page["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in page["Content-Security-Policy"]
    assert not Session.objects.filter(revoked_at=None).exists()


def test_a_logout_without_frames_allows_none(app, browser):
    tokens = tokens_of(app, browser)

    page = browser.get("/auth-ms/oauth/end-session", {"id_token_hint": tokens["id_token"]})

    assert b"<iframe" not in page.content
    assert "frame-src" not in page["Content-Security-Policy"]
