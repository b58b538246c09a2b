"""Requests to URLs that somebody else chose, such as a client of the provider (OWASP: server-side request forgery).

Only https to public addresses, unless the installation lists private networks; no redirects, no proxy, no cookies. The
addresses of a host are looked up once, all checked, and the connection goes to one of them, so that a name server
cannot answer the check and the connection differently.
"""

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

MAXIMUM_BYTES = 64 * 1024
MAXIMUM_LENGTH = 2000
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052, §2.1: contains an IPv4 address
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class RefusedURL(ValueError):
    """The URL must not be requested. The message says why."""


class Unreachable(Exception):
    """There was no complete answer in time. The message is the kind of failure, without data of the server."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP response. `headers` have names in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes


def check(url: str, *, private_networks: Collection[str] = ()) -> None:
    """Raises RefusedURL unless `url` may be stored to be requested later. It looks up no name: `send` does."""
    _parts_of(url, private_networks)


def send(
    method: str,
    url: str,
    *,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    seconds: float = 5.0,
    maximum_bytes: int = MAXIMUM_BYTES,
    private_networks: Collection[str] = (),
) -> Answer:
    """The answer to one request, which takes at most `seconds` after the name lookup.

    `private_networks` are networks in CIDR notation that may be requested although they are private, by http too.
    Certificates are checked against the system's authorities, or those in the file that SSL_CERT_FILE names. Raises
    RefusedURL and Unreachable.
    """
    parts = _parts_of(url, private_networks)
    addresses = _addresses_of(parts, private_networks)
    deadline = time.monotonic() + seconds
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = http.client.HTTPConnection(parts.hostname or "")
    try:
        with _connected(parts, addresses, deadline=deadline) as connection.sock:
            known = {"Host": parts.netloc, "Accept-Encoding": "identity", "Connection": "close"}
            connection.request(method, target, body=body, headers=known | (headers or {}))
            return _read(connection.getresponse(), maximum_bytes, deadline=deadline)
    except (OSError, http.client.HTTPException) as error:
        kind = "Timeout" if time.monotonic() >= deadline else type(error).__name__
        raise Unreachable(kind) from error


def _parts_of(url: str, private_networks: Collection[str]) -> SplitResult:
    if len(url) > MAXIMUM_LENGTH or not url.isascii() or any(each <= " " or each in '\\"<>^`{|}\x7f' for each in url):
        raise RefusedURL("Must be an absolute URL in ASCII.")
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
    except ValueError as error:
        raise RefusedURL("Must be an absolute URL.") from error
    if parts.scheme not in ("https", "http") or not host or port == 0:
        raise RefusedURL("Must be an absolute https URL.")
    if "@" in parts.netloc or "%" in parts.netloc or "#" in url:
        raise RefusedURL("Must not contain a user, a password or a fragment.")
    if parts.scheme == "http" and not private_networks:
        raise RefusedURL("Must be https.")
    literal = _literal(host)
    if literal is not None:
        _check_address(literal, parts.scheme, private_networks)
    return parts


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _addresses_of(parts: SplitResult, private_networks: Collection[str]) -> list[tuple[str, int]]:
    """The addresses of the host, each checked. Raises RefusedURL and Unreachable."""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable("NameNotFound") from error
    for *_, address in found:
        _check_address(ipaddress.ip_address(address[0]), parts.scheme, private_networks)
    return list(dict.fromkeys((str(address[0]), port) for *_, address in found))


def _check_address(address: Address, scheme: str, private_networks: Collection[str]) -> None:
    """Raises RefusedURL for an address that is not public, unless it is in one of `private_networks`."""
    for each in _embedded(address):
        allowed = any(each in ipaddress.ip_network(network) for network in private_networks)
        is_public = each.is_global and not (
            each.is_multicast or each.is_reserved or getattr(each, "is_site_local", False)
        )
        if not allowed and not (is_public and scheme == "https"):
            raise RefusedURL("Must be https at a public address.")


def _embedded(address: Address) -> list[Address]:
    """`address`, or the IPv4 addresses to which an IPv6 address leads, which would hide them."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    teredo = address.teredo or ()
    return [each for each in (address.ipv4_mapped, address.sixtofour, *teredo) if each is not None] or [address]


@contextlib.contextmanager
def _connected(parts: SplitResult, addresses: list[tuple[str, int]], *, deadline: float) -> Iterator[socket.socket]:
    """A connection that is shut down at the deadline, even while a server sends a byte now and then."""
    sock = _first_connection(addresses, deadline=deadline)
    if parts.scheme == "https":
        context = ssl.create_default_context()
        sock = context.wrap_socket(sock, server_hostname=parts.hostname, do_handshake_on_connect=False)
    with sock:
        timer = threading.Timer(_left(deadline), _shut_down, [sock])
        timer.daemon = True
        timer.start()
        try:
            if isinstance(sock, ssl.SSLSocket):
                sock.do_handshake()
            yield sock
        finally:
            timer.cancel()


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.001)


def _shut_down(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # closed meanwhile
        socket.socket.shutdown(sock, socket.SHUT_RDWR)  # of the plain socket: TLS would wait for the other side


def _first_connection(addresses: list[tuple[str, int]], *, deadline: float) -> socket.socket:
    failure: OSError = OSError("no address")
    for address in addresses:
        try:
            return socket.create_connection(address, timeout=_left(deadline))
        except OSError as error:
            failure = error
    raise failure


def _read(response: http.client.HTTPResponse, maximum_bytes: int, *, deadline: float) -> Answer:
    body = response.read(maximum_bytes + 1)
    if len(body) > maximum_bytes:
        raise Unreachable("AnswerTooLarge")
    if time.monotonic() >= deadline:  # shut down, so that the body may have ended early
        raise TimeoutError
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(status=response.status, headers=headers, body=body)
