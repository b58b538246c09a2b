"""Request smuggling: ambiguous requests over raw sockets reach no internal route."""

import re
import secrets
import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from evidence.harness.waiting import eventually

HIDDEN = "GET /users-ms/internal/credentials?email=ada@example.org HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
HEAD = "POST /users-ms/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Request-ID: {id}\r\n"
# Requests whose rest is either a body or a second request, depending on the parser.
AMBIGUOUS = {
    "CL.TE": f"Content-Length: {len(HIDDEN) + 5}\r\n{CHUNKED}\r\n0\r\n\r\n{HIDDEN}",
    "TE.CL": f"{CHUNKED}Content-Length: 4\r\n\r\n{len(HIDDEN):x}\r\n{HIDDEN}\r\n0\r\n\r\n",
    "TE.TE": f"{CHUNKED}Transfer-Encoding: x\r\n\r\n0\r\n\r\n{HIDDEN}",
    "TE with a space": f"Transfer-Encoding : chunked\r\nContent-Length: 0\r\n\r\n{HIDDEN}",
    "TE with a vertical tab": f"Transfer-Encoding: \x0bchunked\r\nContent-Length: 0\r\n\r\n{HIDDEN}",
    "TE of HTTP/1.0": f"Transfer-Encoding: identity, chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n{HIDDEN}",
    "two lengths": f"Content-Length: 0\r\nContent-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "a list of lengths": f"Content-Length: 0, {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "a signed length": f"Content-Length: +{len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "a negative length": f"Content-Length: -1\r\n\r\n{HIDDEN}",
    "a length in hexadecimal": f"Content-Length: 0x10\r\n\r\n{HIDDEN}",
    "a folded header": f"X-Folded: a\r\n Content-Length: 0\r\nContent-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "a folded length": f"Content-Length:\r\n 0\r\n\r\n{HIDDEN}",
    "a bare line feed": f"X: y\nContent-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "a bare carriage return": f"X: y\rContent-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "a NUL": f"X: y\0Content-Length: 0\r\n\r\n{HIDDEN}",
    "a chunk that is too long": f"{CHUNKED}\r\nffffffffffffffffff\r\n{HIDDEN}",
    "a chunk of no size": f"{CHUNKED}\r\nzz\r\n{HIDDEN}",
    "a negative chunk": f"{CHUNKED}\r\n-1\r\n{HIDDEN}",
    "a chunk with 0x": f"{CHUNKED}\r\n0x5\r\nhello\r\n0\r\n\r\n{HIDDEN}",
    "a chunk without its end": f"{CHUNKED}\r\n2\r\n{{}}XX0\r\n\r\n{HIDDEN}",
}
TARGETS = [
    "http://users-ms/users-ms/internal/credentials?email=a@b.c",
    "http://127.0.0.1:4000/users-ms/internal/credentials",
    "http:///users-ms/internal/credentials",
    "/users-ms/%2e%2e/users-ms/internal/credentials",
    "/users-ms/users/%2e%2e/internal/credentials",
    "/users-ms/users/..%2finternal/credentials",
    "/users-ms/users/..;/internal/credentials",
    "/users-ms/%2finternal/credentials",
    "//users-ms/internal/credentials",
    "/users-ms//internal//credentials",
    "/users-ms/%2569nternal/credentials",
    "/users-ms/internal%00/credentials",
    "/users-ms/\\internal\\credentials",
    "/users-ms/users?x HTTP/1.1\r\nHost: x\r\n\r\nGET /users-ms/internal/credentials",
    "*",
    "users-ms/internal/credentials",
]


@pytest.fixture(scope="module")
def outputs(stack):
    """By kind, the gateway's output for an ambiguous request; all at once, because the gateway may stay silent."""
    requests = {kind: HEAD.format(id=f"smuggled-{secrets.token_hex(8)}") + text for kind, text in AMBIGUOUS.items()}
    with ThreadPoolExecutor(len(requests)) as pool:
        found = dict(zip(requests, pool.map(lambda text: exchange(stack, text), requests.values()), strict=True))
    for kind, text in requests.items():
        if 503 in statuses(found[kind]):  # too many at once for a busy service: this one again, alone
            found[kind] = exchange(stack, text)
    return found


def exchange(stack, text, *, patience=5):
    """The gateway's output until it closes the connection or is silent for `patience` seconds."""
    parts = urlsplit(stack.gateway)
    output = b""
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as connection:
        connection.sendall(text.encode("latin-1"))
        connection.settimeout(patience)
        try:
            while received := connection.recv(65536):
                output += received
        except (TimeoutError, ConnectionResetError):
            pass
    return output


def statuses(output):
    return [int(status) for status in re.findall(rb"^HTTP/1\.[01] (\d{3})", output, re.MULTILINE)]


@pytest.mark.parametrize("kind", AMBIGUOUS)
def test_an_ambiguous_request_reaches_no_internal_route(stack, outputs, kind):
    output = outputs[kind]

    found = statuses(output)
    assert len(found) <= 2 and all(400 <= status < 500 or status == 501 for status in found), output
    assert b"password_hash" not in output
    # A service answers 401 to the hidden request, so 401 would show that it passed the gateway.
    assert 401 not in found, output
    assert output == b"" or found, output
    usual = exchange(stack, "GET /users-ms/healthcheck HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", patience=10)
    assert statuses(usual) == [200]


def test_no_internal_route_was_requested(stack):
    """Checks the logs after all tests above."""
    marker = f"later-{secrets.token_hex(8)}"
    headers = f"Host: x\r\nX-Request-ID: {marker}\r\nConnection: close"
    exchange(stack, f"GET /users-ms/users/me?x={marker} HTTP/1.1\r\n{headers}\r\n\r\n")

    eventually(lambda: marker in stack.log("users-ms"))

    internal = [line for line in stack.log("users-ms").splitlines() if "/internal/" in line]
    # The only caller, auth-ms, identifies as python-requests; local processes log text, containers JSON.
    assert not [line for line in internal if "agent=python" not in line and '"agent": "python' not in line]


@pytest.mark.parametrize("target", TARGETS)
def test_no_encoding_of_a_path_reaches_an_internal_route(stack, target):
    output = exchange(stack, f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", patience=10)

    found = statuses(output)
    assert set(found) <= {400, 404, 401, 308} and found, output
    assert b"password_hash" not in output
    if 401 in found:  # from the list of users, before a second request after a line break in the path
        assert target.startswith("/users-ms/users?")
