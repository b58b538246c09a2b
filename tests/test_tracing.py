"""One trace and one request id from the HTTP request to the email, without personal data in logs and spans."""

import gzip
import re
import secrets
import subprocess
import sys
import threading
from contextlib import ExitStack
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyotp
import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from evidence.harness.local_processes import layout_of
from evidence.harness.stack import PASSWORD, a_phone
from evidence.harness.waiting import eventually
from local import programs
from local.running_program import running_program

NEW = "a longer staple of horses"
PROGRAMS = ["users-ms", "auth-ms", "auth-outbox-relay", "notification-email-worker"]
PATH = [*PROGRAMS, "users-outbox-relay", "notification-ms", "auth-event-worker", "notification-sms-worker"]


class Receiver:
    """Receives spans over OTLP/HTTP."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, object]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    attributes = {each.key: each.value.string_value for each in resource.resource.attributes}
                    for scope in resource.scope_spans:
                        receiver.spans += [(attributes["service.name"], span) for span in scope.spans]
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, trace_id: str) -> list[tuple[str, object]]:
        return [(service, span) for service, span in list(self.spans) if span.trace_id.hex() == trace_id]

    def ways(self, trace_id: str) -> list[list[tuple[str, str]]]:
        """The path of each span of a trace to the topmost that has arrived, as services and names."""
        spans = {span.span_id: (service, span) for service, span in self.of(trace_id)}
        return [list(self._up(link, spans)) for link in spans.values()]

    @staticmethod
    def _up(link, spans):
        while link:
            yield link[0], link[1].name
            link = spans.get(link[1].parent_span_id)


@pytest.fixture
def traced(stack):
    """Replaces the programs of a login by ones that export spans."""
    layout = layout_of(stack.directory)
    receiver = Receiver()
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_BSP_SCHEDULE_DELAY": "200", "BCRYPT_COST": "4"}
    known = {program.name: program for program in programs.applications(replace(layout, variables=variables))}
    try:
        for name in PROGRAMS:
            stack.stop(name)
        with ExitStack() as running:
            for name in PROGRAMS:
                running.enter_context(running_program(layout, replace(known[name], name=f"traced-{name}")))
            yield receiver
    finally:
        for name in PROGRAMS:
            stack.start(name)


def test_a_login_is_one_trace_across_five_processes(stack, traced):
    user = stack.verified_user()
    trace_id = secrets.token_hex(16)
    body = {"username": user["email"], "password": PASSWORD}
    headers = {"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"}
    requests.post(f"{stack.gateway}/auth-ms/auth/login", json=body, headers=headers, timeout=60).raise_for_status()

    login = ("auth-ms", "POST auth-ms/auth/login")
    record = ("auth-ms", "record user_login_event")
    process = ("notification-ms", "process user_login_event")  # of two queues: the email's and the webhooks'
    call = [("users-ms", "GET users-ms/internal/credentials"), ("auth-ms", "GET users-ms"), login]
    mail = [("notification-ms", "send email"), process, ("auth-ms", "publish user_login_event"), record, login]
    statements = [
        [("users-ms", "SELECT"), *call],
        [("auth-ms", "INSERT"), record, login],
        [("notification-ms", "UPDATE"), *mail[1:]],
    ]
    # Each process exports its spans on its own, so any of them may arrive last.
    eventually(lambda: all(way in traced.ways(trace_id) for way in [call, mail, *statements]))
    ways = traced.ways(trace_id)
    assert [way for way in ways if way[0] in (call[0], mail[0])] in ([call, mail], [mail, call])
    text = " ".join(str(span) for _, span in traced.of(trace_id))
    assert user["email"] not in text and PASSWORD not in text


@pytest.mark.parametrize(
    ("name", "program"),
    [
        ("users-ms", "users_ms.wsgi"),
        ("auth-ms", "auth_ms.wsgi"),
        ("notification-email-worker", "notification_ms.celery"),
    ],
)
def test_opentelemetry_is_not_imported_without_an_endpoint(stack, name, program):
    [started] = [each for each in programs.applications(layout_of(stack.directory)) if each.name == name]
    imported = "[name for name in sys.modules if name.startswith('opentelemetry')]"
    code = f"import sys, {program}; print({imported}, 'django' in sys.modules)"
    environment = {name: value for name, value in started.environment.items() if not name.startswith("OTEL_")}
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, env=environment, cwd=started.directory, capture_output=True, text=True, check=True)
    assert done.stdout == "[] True\n"


def lines(stack, identifier):
    return {name: [line for line in stack.log(name).splitlines() if identifier in line] for name in [*PATH, "gateway"]}


def test_one_request_id_finds_a_login_in_all_logs(stack):
    user = stack.verified_user()
    request_id, trace_id = f"click-{secrets.token_hex(6)}", secrets.token_hex(16)
    body = {"username": user["email"], "password": PASSWORD}
    headers = {"X-Request-ID": request_id, "traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"}
    requests.post(f"{stack.gateway}/auth-ms/auth/login", json=body, headers=headers, timeout=60).raise_for_status()
    eventually(lambda: stack.mails(user["email"], "New sign-in"))

    eventually(lambda: all(lines(stack, request_id)[name] for name in ["gateway", *PROGRAMS]))
    found = lines(stack, trace_id)
    assert all(found[name] for name in PROGRAMS)
    assert any("event published" in line for line in found["auth-outbox-relay"])
    assert any("delivery finished" in line for line in found["notification-email-worker"])


def test_logs_of_an_accounts_life_have_no_personal_data_and_no_secrets(stack):
    name, surname, phone = f"N{secrets.token_hex(6)}", f"S{secrets.token_hex(6)}", a_phone()
    user = stack.verified_user(name=name, surname=surname, phone=phone, attributes={"note": f"A{secrets.token_hex(6)}"})
    secret = {user["email"], name, surname, phone, PASSWORD, NEW, user["attributes"]["note"]}
    stack.log_in(user["email"], wrong := f"wrong {secrets.token_hex(4)}")
    tokens = stack.log_in(user["email"]).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}

    def call(method, path, body=None):
        url = f"{stack.auth}/auth-ms/auth/{path}"
        return requests.request(method, url, json=body, headers=headers, timeout=60)

    totp = call("POST", "mfa/totp").json()["secret"]
    codes = call("POST", "mfa/totp/confirm", {"code": pyotp.TOTP(totp).now()}).json()["recovery_codes"]
    refreshed = call("POST", "refresh", {"refresh_token": tokens["refresh_token"]}).json()
    call("POST", "password/forgot", {"email": user["email"]})
    reset = stack.mailed_token(eventually(lambda: stack.mails(user["email"], "Set a new password"))[0])
    call("POST", "password/reset", {"token": reset, "new_password": NEW})
    pending = stack.log_in(user["email"], NEW).json()
    body = {"mfa_token": pending["mfa_token"], "method": "recovery_code", "code": codes[0]}
    last = requests.post(f"{stack.auth}/auth-ms/auth/login/mfa", json=body, timeout=60).json()
    with stack.mail_rejected(550):
        rejected = stack.sign_up(name=name)
        eventually(lambda: "message dead-lettered" in stack.log("notification-email-worker"))
    url = f"{stack.users}/users-ms/users/{user['id']}"
    bearer = {"Authorization": f"Bearer {last['access_token']}"}
    requests.get(f"{stack.gateway}/users-ms/users?search={name}", headers=bearer, timeout=60)
    requests.delete(url, headers=bearer, timeout=60).raise_for_status()
    eventually(lambda: call("GET", "sessions").json().get("status") == 401)

    secret |= {wrong, rejected["email"], totp, *codes, reset, pending["mfa_token"]}
    secret |= {each[key] for each in (tokens, refreshed, last) for key in ("access_token", "refresh_token")}
    for program in [*PATH, "gateway"]:
        log = stack.log(program)
        assert [word for word in secret if word in log] == [], program
        assert not re.search(r"eyJ[\w-]+\.eyJ", log), program
