"""Requests to URLs that others chose reach public addresses by https only; the servers are real."""

import ipaddress
import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509

from chassis.http import outgoing
from chassis.testing.certificate_authority import Authority

LOOPBACK = ["127.0.0.0/8", "::1/128"]
PRIVATE = [
    "127.0.0.1",
    "127.1.2.3",
    "0.0.0.0",  # noqa: S104
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "224.0.0.1",
    "255.255.255.255",
    "[::1]",
    "[::]",
    "[fe80::1]",
    "[fd00::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::a00:1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
]


class Server:
    """An HTTP server that notes what it received, and answers with `status`, `headers` and `body`."""

    def __init__(self, *, certificate=None):
        self.status, self.headers, self.body, self.received = 200, {}, b"{}", []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                length = int(self.headers.get("Content-Length", 0))
                server.received.append((self.command, self.path, dict(self.headers), self.rfile.read(length)))
                self.send_response(server.status)
                for name, value in server.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(server.body)

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()

    @property
    def port(self):
        return self.server.server_port

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.mark.parametrize("host", PRIVATE)
def test_an_address_that_is_not_public_is_refused_before_any_connection(host):
    with pytest.raises(outgoing.RefusedURL):
        outgoing.check(f"https://{host}/keys")
    with pytest.raises(outgoing.RefusedURL):
        outgoing.send("GET", f"https://{host}/keys")


@pytest.mark.parametrize("host", ["localhost", "2130706433", "0x7f000001", "127.1"])
def test_a_name_of_a_private_address_is_refused_when_it_is_looked_up(host, server):
    with pytest.raises(outgoing.RefusedURL):
        outgoing.send("GET", f"https://{host}:{server.port}/")

    assert server.received == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "keys",
        "//example.org/keys",
        "http://example.org/keys",
        "ftp://example.org/keys",
        "file:///etc/passwd",
        "gopher://example.org/",
        "https:///keys",
        "https://ada@example.org/keys",
        "https://ada:secret@example.org/keys",
        "https://example.org/keys#one",
        "https://example.org/a b",
        "https://example.org/a\nb",
        "https://example.org\\@127.0.0.1/",
        "https://ex%61mple.org/",
        "https://example.org:0/",
        "https://example.org:99999/",
        "https://exämple.org/",
        "https://[::1/",
        "https://example.org/" + "a" * 2000,
    ],
)
def test_a_url_that_is_not_plain_https_is_refused(url):
    with pytest.raises(outgoing.RefusedURL):
        outgoing.check(url)


@pytest.mark.parametrize("url", ["https://example.org", "https://example.org:8443/a?b=c", "https://93.184.215.14/"])
def test_a_public_https_url_is_accepted(url):
    outgoing.check(url)


def test_all_addresses_of_a_name_must_be_public(monkeypatch, server):
    public, private = ("93.184.215.14", 443), ("127.0.0.1", server.port)
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in (public, private)]
    monkeypatch.setattr(outgoing.socket, "getaddrinfo", lambda *_, **__: found)

    with pytest.raises(outgoing.RefusedURL):
        outgoing.send("GET", "https://rebinding.example/")


def test_a_listed_network_may_be_requested_by_http_too(server):
    server.status, server.headers = 202, {"X-Answer": "yes"}

    answer = outgoing.send(
        "POST",
        f"http://127.0.0.1:{server.port}/hook?a=b",
        body=b"token=1",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        private_networks=LOOPBACK,
    )

    assert (answer.status, answer.headers["x-answer"], answer.body) == (202, "yes", b"{}")
    [(method, path, headers, body)] = server.received
    assert (method, path, body) == ("POST", "/hook?a=b", b"token=1")
    assert headers["Host"] == f"127.0.0.1:{server.port}"
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_a_listed_network_opens_no_other_private_address():
    with pytest.raises(outgoing.RefusedURL):
        outgoing.send("GET", "http://10.0.0.1/", private_networks=LOOPBACK)
    with pytest.raises(outgoing.RefusedURL):  # http to a public address stays refused
        outgoing.send("GET", "http://93.184.215.14/", private_networks=LOOPBACK)


def test_a_redirect_is_an_answer_and_is_not_followed(server):
    server.status, server.headers = 302, {"Location": f"http://127.0.0.1:{server.port}/elsewhere"}

    answer = outgoing.send("GET", f"http://127.0.0.1:{server.port}/", private_networks=LOOPBACK)

    assert answer.status == 302
    assert len(server.received) == 1


def test_the_certificate_is_checked_against_the_name_in_the_url(tmp_path, monkeypatch):
    authority = Authority(tmp_path)
    server = Server(certificate=authority.certificate(x509.DNSName("localhost")))
    try:
        with pytest.raises(outgoing.Unreachable, match="SSLCertVerificationError"):  # unknown authority
            outgoing.send("GET", f"https://localhost:{server.port}/", private_networks=LOOPBACK)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        with pytest.raises(outgoing.Unreachable, match="SSLCertVerificationError"):  # another name
            outgoing.send("GET", f"https://127.0.0.1:{server.port}/", private_networks=LOOPBACK)

        answer = outgoing.send("GET", f"https://localhost:{server.port}/", private_networks=LOOPBACK)
    finally:
        server.close()

    assert answer.status == 200


def test_a_certificate_for_an_address_is_accepted(tmp_path, monkeypatch):
    authority = Authority(tmp_path)
    server = Server(certificate=authority.certificate(x509.IPAddress(ipaddress.ip_address("127.0.0.1"))))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    try:
        answer = outgoing.send("GET", f"https://127.0.0.1:{server.port}/", private_networks=LOOPBACK)
    finally:
        server.close()

    assert answer.status == 200


def test_an_answer_that_is_too_large_is_not_read_to_its_end(server):
    server.body = b"a" * 1001

    with pytest.raises(outgoing.Unreachable, match="AnswerTooLarge"):
        outgoing.send("GET", f"http://127.0.0.1:{server.port}/", private_networks=LOOPBACK, maximum_bytes=1000)


@pytest.mark.parametrize(
    "piece", [b"H", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]
)
def test_a_server_that_sends_a_byte_now_and_then_is_left_at_the_deadline(piece):
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def drip():
        connection, _ = listener.accept()
        with connection:
            try:
                connection.sendall(piece)
                while not ended.wait(0.05):
                    connection.sendall(b"a")
            except OSError:
                pass  # shut down by the client, which is what the test is about

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    started = time.monotonic()
    try:
        with pytest.raises(outgoing.Unreachable, match="Timeout"):
            outgoing.send(
                "GET", f"http://127.0.0.1:{listener.getsockname()[1]}/", private_networks=LOOPBACK, seconds=0.5
            )
    finally:
        ended.set()
        thread.join()
        listener.close()

    assert time.monotonic() - started < 60  # it would drip for hours


def test_a_server_that_is_not_there_is_unreachable():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(outgoing.Unreachable):
        outgoing.send("GET", f"http://127.0.0.1:{port}/", private_networks=LOOPBACK)
    with pytest.raises(outgoing.Unreachable, match="NameNotFound"):
        outgoing.send("GET", "https://nothing.invalid/")
