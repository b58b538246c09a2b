"""Chunked bodies, sent to a real gunicorn: read up to 64 KiB, or rejected; never ignored."""

import json
import socket
from http.client import HTTPResponse

import pytest

from chassis.tests.web_server import web_server

LIMIT = 64 * 1024
CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture(scope="module")
def server():
    with web_server() as (port, _):
        yield port


def chunks(body, *, size=1000):
    parts = [body[begin : begin + size] for begin in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in [*parts, b""])


def head(method, *headers):
    lines = [f"{method} /example-ms/echo HTTP/1.1", "Host: x", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def answers(port, *requests):
    """Status and body of the responses to requests sent one after the other on one connection."""
    found = []
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        for request in requests:
            connection.sendall(request)
            answer = HTTPResponse(connection)
            answer.begin()
            found.append((answer.status, json.loads(answer.read())))
    return found


def text_of(length):
    return json.dumps({"a": "x" * (length - len('{"a": ""}'))}).encode()


@pytest.mark.parametrize("method", ["PATCH", "PUT", "POST"])
def test_a_chunked_body_is_read(server, method):
    body = b'{"surname": "Byron"}'

    [(status, given)] = answers(server, head(method, CHUNKED) + chunks(body, size=3))

    assert (status, given) == (200, {"given": {"surname": "Byron"}, "length": str(len(body))})


def test_the_largest_body_is_read_and_one_byte_more_is_rejected(server):
    [(status, given)] = answers(server, head("PATCH", CHUNKED) + chunks(text_of(LIMIT)))
    [(rejected, problem)] = answers(server, head("PATCH", CHUNKED) + chunks(text_of(LIMIT + 1)))

    assert (status, given["length"]) == (200, str(LIMIT))
    assert (rejected, problem["status"]) == (413, 413)


def upload(*headers):
    return head("POST", *headers).replace(b"echo", b"upload").replace(b"application/json", b"application/octet-stream")


@pytest.mark.parametrize(("length", "status"), [(1024 * 1024, 200), (1024 * 1024 + 1, 413), (9_000_000, 413)])
def test_a_route_may_read_a_longer_body(server, length, status):
    [(answered, given)] = answers(server, upload(f"Content-Length: {length}") + b" " * length)

    assert answered == status
    assert given.get("length") == (length if status == 200 else None)


def test_chunks_are_not_longer_on_such_a_route(server):
    """They are read before authorization."""
    [(within, given)] = answers(server, upload(CHUNKED) + chunks(b" " * LIMIT))
    [(rejected, _)] = answers(server, upload(CHUNKED) + chunks(b" " * (LIMIT + 1)))

    assert (within, given["length"], rejected) == (200, LIMIT, 413)


def test_several_requests_on_one_connection_are_kept_apart(server):
    first = head("PATCH", CHUNKED) + chunks(b'{"number": 1}')
    second = head("PATCH", "Content-Length: 13") + b'{"number": 2}'
    third = head("PATCH", CHUNKED) + chunks(b'{"number": 3}')

    found = answers(server, first, second, third)

    assert [given["given"]["number"] for _, given in found] == [1, 2, 3]


def test_an_empty_chunked_body_is_an_empty_body(server):
    [(status, given)] = answers(server, head("PATCH", CHUNKED) + chunks(b""))

    assert (status, given["length"]) == (200, "0")


@pytest.mark.parametrize("broken", [b"zz\r\n{}\r\n0\r\n\r\n", b"2\r\n{}XX0\r\n\r\n", b"-1\r\n\r\n"])
def test_malformed_chunks_are_rejected_and_the_connection_is_closed(server, broken):
    with socket.create_connection(("127.0.0.1", server), timeout=120) as connection:
        connection.sendall(head("PATCH", CHUNKED) + broken)
        said = b"".join(iter(lambda: connection.recv(65536), b""))

    assert said.startswith(b"HTTP/1.1 400 ")
    assert said.count(b"HTTP/1.1") == 1


def test_an_incomplete_body_changes_nothing(server):
    with socket.create_connection(("127.0.0.1", server), timeout=120) as connection:
        connection.sendall(head("PATCH", CHUNKED) + b"14\r\n{")
        connection.shutdown(socket.SHUT_WR)
        said = b"".join(iter(lambda: connection.recv(65536), b""))

    assert not said.startswith(b"HTTP/1.1 2")
