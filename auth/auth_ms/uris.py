"""Strict checks of the URIs that clients register, and their exact comparison (RFC 9700, §2.1)."""

import re
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from chassis.http import outgoing

MAXIMUM_LENGTH = 2000
_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+", re.ASCII)  # RFC 3986, without `#`
_PRIVATE_USE = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+", re.ASCII)  # RFC 8252, §7.1: a reversed domain
# Without characters that separate the directives and sources of a Content-Security-Policy.
_HOST = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]*)?", re.ASCII)
_LOOPBACK_ADDRESSES = ("127.0.0.1", "::1")
_LOOPBACK = (*_LOOPBACK_ADDRESSES, "localhost")


class InvalidURI(ValueError):
    """The message says why."""


def check_redirect(uri: str) -> None:
    """Raises InvalidURI unless browsers may be sent to `uri`.

    It is https, http on the loopback interface, or a private-use scheme such as `org.example.app:/callback`.
    """
    parts = _split(uri)
    if parts.scheme in ("http", "https"):
        _check_web(parts)
    elif not _PRIVATE_USE.fullmatch(parts.scheme) or parts.netloc or not parts.path.startswith("/"):
        raise InvalidURI("Must be https, http on the loopback interface, or a scheme such as org.example.app:/path.")


def check_resource(uri: str) -> None:
    """Raises InvalidURI unless `uri` may be the audience of a token: absolute, without fragment (RFC 8707, §2)."""
    parts = _split(uri)
    if parts.scheme not in ("http", "https", "urn") or (parts.scheme != "urn" and not parts.hostname):
        raise InvalidURI("Must be an absolute https, http or urn URI.")


def check_origin(uri: str) -> None:
    """Raises InvalidURI unless `uri` is a web origin, such as https://app.example.org."""
    parts = _split(uri)
    if parts.scheme not in ("http", "https") or parts.path or parts.query:
        raise InvalidURI("Must be an origin such as https://app.example.org, without a path.")
    _check_web(parts)


def check_request(uri: str) -> None:
    """Raises InvalidURI unless auth-ms may request `uri`; empty for none."""
    try:
        if uri:
            outgoing.check(uri, private_networks=settings.PRIVATE_CLIENT_NETWORKS)
    except outgoing.RefusedURL as error:
        raise InvalidURI(str(error)) from error


def check_frame(uri: str) -> None:
    """Raises InvalidURI unless pages of the provider may show `uri` in a frame; empty for none."""
    if uri:
        parts = _split(uri)
        if parts.scheme not in ("http", "https"):
            raise InvalidURI("Must be https, or http on the loopback interface.")
        _check_web(parts)


def check_page(uri: str) -> None:
    """Raises InvalidURI unless users may be shown `uri`, as a link or an image: https; empty for none."""
    if uri:
        parts = _split(uri)
        if parts.scheme != "https":
            raise InvalidURI("Must be https.")
        _check_web(parts)


def origin_of(uri: str) -> str:
    """Scheme, host and port."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}"


def _split(uri: str) -> SplitResult:
    if len(uri) > MAXIMUM_LENGTH or not _CHARACTERS.fullmatch(uri):
        raise InvalidURI("Must be an absolute URI in ASCII, without a fragment.")
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError as error:
        raise InvalidURI("Must be an absolute URI.") from error
    if not parts.scheme or uri[: len(parts.scheme)] != parts.scheme:
        raise InvalidURI("Must begin with a scheme in small letters.")
    if "@" in parts.netloc:
        raise InvalidURI("Must not contain a user or password.")
    if any(segment in (".", "..") for segment in re.sub("(?i)%2e", ".", parts.path).split("/")):
        raise InvalidURI("Must not contain the segments . or ..")
    return parts


def _check_web(parts: SplitResult) -> None:
    if not parts.hostname or not _HOST.fullmatch(parts.netloc):
        raise InvalidURI("Must have a host in small letters, without wildcards.")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise InvalidURI("Must be https; http is only for the loopback interface.")


def is_registered(uri: str, registered: list[str]) -> bool:
    """True when `uri` is one of `registered`, character by character.

    Only the port of a loopback address is free, because native apps cannot choose it beforehand (RFC 8252, §7.3).
    """
    return uri in registered or any(_differs_in_port_only(uri, each) for each in registered)


def _differs_in_port_only(uri: str, registered: str) -> bool:
    try:
        check_redirect(uri)
    except InvalidURI:
        return False
    one, other = urlsplit(uri), urlsplit(registered)
    return (
        one.scheme == other.scheme == "http"
        and one.hostname == other.hostname
        and one.hostname in _LOOPBACK_ADDRESSES
        and (one.path, one.query) == (other.path, other.query)
    )
