"""The client of a request: its IP address, taken from trusted proxies only, and its user agent."""

import ipaddress
import socket
import threading
import time
from dataclasses import dataclass
from functools import cache

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request

MAXIMUM_USER_AGENT_LENGTH = 200
RESOLVED_SECONDS = 30

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, kw_only=True)
class Client:
    """The sender of a request. `address` is None only where there is no IP connection."""

    address: str | None
    user_agent: str

    @property
    def network(self) -> str:
        """The key for rate limits: the IPv4 address, or the IPv6 /64 network that one client usually has to itself."""
        if self.address is None:
            return "none"
        address = ipaddress.ip_address(self.address)
        return self.address if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))


class TrustedProxies:
    """The proxies whose `X-Forwarded-For` is trusted: addresses, networks, or host names, resolved periodically.

    A name that cannot be resolved matches no address, so a DNS outage never extends trust.
    """

    def __init__(self, entries: list[str]) -> None:
        self._networks: list[Network] = []
        self._names: list[str] = []
        for entry in entries:
            try:
                self._networks.append(ipaddress.ip_network(entry))
            except ValueError:
                self._names.append(entry)
        self._lock = threading.Lock()
        self._resolved: frozenset[Address] = frozenset()
        self._resolved_at = -float("inf")

    def trust(self, address: Address) -> bool:
        """True when `address` belongs to a trusted proxy."""
        return any(address in network for network in self._networks) or address in self._addresses_of_names()

    def _addresses_of_names(self) -> frozenset[Address]:
        if self._names and time.monotonic() - self._resolved_at > RESOLVED_SECONDS:
            with self._lock:
                if time.monotonic() - self._resolved_at > RESOLVED_SECONDS:
                    self._resolved = frozenset(address for name in self._names for address in _resolve(name))
                    self._resolved_at = time.monotonic()
        return self._resolved


def _resolve(name: str) -> list[Address]:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [address for *_, (text, *_rest) in found if (address := _parse(str(text)))]


def _parse(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


@cache
def _trusted_proxies(entries: tuple[str, ...]) -> TrustedProxies:
    return TrustedProxies(list(entries))


def client_of(request: HttpRequest | Request) -> Client:
    """The client of `request`.

    Each proxy appends the address it sees to `X-Forwarded-For`, so it is read from its end: the first address that is
    not a trusted proxy is the client. Anything before it was sent by the client and is ignored.
    """
    address = _parse(request.META.get("REMOTE_ADDR") or "")
    proxies = _trusted_proxies(tuple(settings.TRUSTED_PROXIES))
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    while address and forwarded and proxies.trust(address):
        following = _parse(forwarded.pop())
        if following is None:
            break
        address = following
    agent = request.META.get("HTTP_USER_AGENT", "").replace("\0", "")[:MAXIMUM_USER_AGENT_LENGTH]
    return Client(address=str(address) if address else None, user_agent=agent)
