"""Connections are reset or slow, a DNS name disappears, a service is slow or stopped. Run by `make chaos`."""

import os
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest
import requests

from evidence.chaos.processes import pause, paused, replaced
from evidence.chaos.proxy import Proxy
from evidence.harness.background import repeating
from evidence.harness.load import timed
from evidence.harness.records import percentile
from evidence.harness.stack import PASSWORD
from evidence.harness.waiting import eventually

CUTS = 4
# Program, its variable, the port behind the proxy, and how many mails may be repeated: when the answer of the mail
# server is lost, no sender can know that the mail was accepted.
LINKS = [
    pytest.param("users-ms", "DATABASE_URL", "USERS_DB_PORT", 0, id="users-ms - users-db"),
    pytest.param("auth-ms", "DATABASE_URL", "AUTH_DB_PORT", 0, id="auth-ms - auth-db"),
    pytest.param("auth-ms", "USERS_URL", "USERS_PORT", 0, id="auth-ms - users-ms"),
    pytest.param("auth-outbox-relay", "DATABASE_URL", "AUTH_DB_PORT", 0, id="auth-outbox-relay - auth-db"),
    pytest.param("auth-outbox-relay", "BROKER_URL", "RABBITMQ_PORT", 0, id="auth-outbox-relay - rabbitmq"),
    pytest.param("auth-event-worker", "BROKER_URL", "RABBITMQ_PORT", 0, id="auth-event-worker - rabbitmq"),
    pytest.param("notification-email-worker", "BROKER_URL", "RABBITMQ_PORT", 0, id="email worker - rabbitmq"),
    pytest.param("notification-email-worker", "DATABASE_URL", "NOTIFICATION_DB_PORT", 0, id="email worker - its db"),
    pytest.param("notification-email-worker", "EMAIL_URL", "SMTP_PORT", CUTS, id="email worker - mail server"),
]


def address_of(chaos, program, variable):
    """The value of a program's variable in the stack."""
    [found] = [each for each in chaos.programs() if each.name == program]
    return found.environment[variable]


@pytest.fixture
def through_proxy(chaos):
    """`with through_proxy("auth-ms", "USERS_URL", "USERS_PORT") as proxy:` runs the program through a proxy."""

    @contextmanager
    def run(program, variable, port):
        proxy = Proxy(chaos.layout.ports[port])
        try:
            with replaced(chaos.layout, program, {variable: proxy.url(address_of(chaos, program, variable))}):
                yield proxy
        finally:
            proxy.close()

    return run


@pytest.mark.parametrize(("program", "variable", "port", "window"), LINKS)
def test_connections_are_cut(under_load, through_proxy, program, variable, port, window, request):
    name = request.node.callspec.id
    with (
        through_proxy(program, variable, port) as proxy,
        under_load(f"connections cut: {name}", duplicates_allowed=window) as run,
    ):
        for _ in range(CUTS):
            proxy.cut()
            pause(run.chance.uniform(0.2, 1))
        run.recovers()


@pytest.mark.parametrize(("program", "variable", "port", "window"), LINKS)
def test_connections_are_slow(under_load, through_proxy, program, variable, port, window, request):
    name = request.node.callspec.id
    with through_proxy(program, variable, port) as proxy, under_load(f"50 ms a packet: {name}") as run:
        proxy.delay = 0.05
        pause(4)
        proxy.delay = 0.0
        run.recovers()


@contextmanager
def logins_at_once(chaos, count):
    """Clients that sign in again and again at auth-ms; yields the list of their answers."""
    answers, body = [], {"username": chaos.users[0], "password": PASSWORD}
    url = f"{chaos.stack.auth}/auth-ms/auth/login"

    def log_in(session):
        answers.append(timed("login", lambda: session.post(url, json=body, timeout=30)))

    with ExitStack() as sessions:
        opened = [sessions.enter_context(requests.Session()) for _ in range(count)]
        with repeating(*(partial(log_in, session) for session in opened), pause=0.1):
            yield answers


@pytest.mark.quick
def test_auth_ms_stays_responsive_while_users_ms_is_slow_but_alive(chaos, under_load, through_proxy):
    """Sixteen clients sign in while users-ms takes 1.5 s for each answer, which is below the timeout."""
    health, proxied = [], through_proxy("auth-ms", "USERS_URL", "USERS_PORT")
    with proxied as proxy, under_load("users-ms answers after 1.5 s") as run:
        with logins_at_once(chaos, 16) as answers:
            eventually(lambda: any(answer.status == 200 for answer in answers))
            proxy.delay = 0.75  # in each direction
            ends = time.monotonic() + 8
            while time.monotonic() < ends:
                began = time.monotonic()
                requests.get(f"{chaos.stack.auth}/auth-ms/healthcheck", timeout=30).raise_for_status()
                health.append(time.monotonic() - began)
                pause(0.05)
            slow = [answer.seconds for answer in answers if answer.status == 503]
            proxy.delay = 0.0
        run.recovers()
        run.note = f"healthcheck p95 {1000 * percentile(health, 0.95):.0f} ms, 503 p95 {percentile(slow, 0.95):.1f} s"
    assert percentile(health, 0.9) < 1, sorted(health)[-10:]
    assert len(slow) > 16, "nothing was rejected early"
    assert percentile(slow, 0.5) < 1, sorted(slow)


def test_auth_ms_stays_responsive_while_users_ms_is_stopped(chaos, under_load):
    with under_load("SIGSTOP users-ms under 16 more clients") as run:
        with logins_at_once(chaos, 16) as answers:
            eventually(lambda: any(answer.status == 200 for answer in answers))
            with paused(chaos.layout, "users-ms"):
                pause(4)
                health = []
                for _ in range(40):
                    began = time.monotonic()
                    requests.get(f"{chaos.stack.auth}/auth-ms/healthcheck", timeout=30).raise_for_status()
                    health.append(time.monotonic() - began)
                    pause(0.05)
        run.recovers()
        slow = [answer.seconds for answer in answers if answer.status == 503]
        run.note = f"healthcheck p95 {1000 * percentile(health, 0.95):.0f} ms, 503 p95 {percentile(slow, 0.95):.1f} s"
    assert percentile(health, 0.9) < 1, sorted(health)[-10:]


@pytest.fixture
def silent_name_server():
    """The address of a name server that never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.9", 53))
        yield "127.0.0.9"


@pytest.mark.skipif(os.geteuid() != 0, reason="a mount namespace needs root")
@pytest.mark.parametrize("silent", [False, True], ids=["no such name", "the name server does not answer"])
def test_the_name_of_users_ms_is_gone(chaos, under_load, tmp_path, silent_name_server, silent):
    """The process has its own /etc/hosts and /etc/resolv.conf, from which the name is removed."""
    hosts, resolver = tmp_path / "hosts", tmp_path / "resolv.conf"
    resolver.write_text(f"nameserver {silent_name_server if silent else '127.0.0.1'}\n")
    hosts.write_text(known := "127.0.0.1 localhost users-ms.example\n")
    mounts = f'mount --bind {hosts} /etc/hosts && mount --bind {resolver} /etc/resolv.conf && exec "$@"'
    prefix = ("unshare", "--mount", "--propagation", "private", "sh", "-c", mounts, "sh")
    if subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("no mount namespaces here (unshare --mount or mount --bind is not permitted)")
    url = f"http://users-ms.example:{chaos.layout.ports['USERS_PORT']}"
    answers = []
    with (
        replaced(chaos.layout, "auth-ms", {"USERS_URL": url}, prefix=prefix),
        under_load(f"DNS: {'name server silent' if silent else 'no such name'}, of users-ms for auth-ms") as run,
    ):
        hosts.write_text("127.0.0.1 localhost\n")
        chaos.kill("users-ms")  # closes the open connections, which need no name
        for _ in range(10):
            began = time.monotonic()
            status = chaos.stack.log_in_once(chaos.users[0]).status_code
            answers.append((status, time.monotonic() - began))
        hosts.write_text(known)
        run.recovers()
        run.note = f"503 within {max(seconds for _, seconds in answers):.1f} s"
    assert {status for status, _ in answers} == {503}
    assert max(seconds for _, seconds in answers) < 3, answers  # the contract's bound
