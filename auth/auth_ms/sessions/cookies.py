"""The refresh token as an HttpOnly cookie, for pages on the same origin.

A request asks for it with the header `Token-Delivery: cookie`; otherwise tokens are in the bodies. A page of another
origin cannot use the cookie: browsers do not send it (SameSite), CORS never permits the header, and `Origin` must match
`Host`.

Over HTTPS the name begins with `__Host-`: no other host of the domain can set the cookie, and it is never sent in the
clear (RFC 6265bis, §4.1.3.2). Browsers require the path `/` for it; the gateway forwards the cookie only to `refresh`.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpResponse
from django.urls import reverse
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from auth_ms import fields
from auth_ms.sessions import page_cookies, serializers
from auth_ms.sessions.services import InvalidRefreshToken, TokenPair
from auth_ms.view_helpers import answer
from chassis.http.errors import Problem

HEADER = "Token-Delivery"
PLAIN_NAME = "refresh_token"
NAME = f"__Host-{PLAIN_NAME}"
BODY, COOKIE = "body", "cookie"

TOKEN_DELIVERY = OpenApiParameter(
    HEADER,
    {"type": "string", "enum": [BODY, COOKIE], "default": BODY},
    OpenApiParameter.HEADER,
    description="`cookie`, for pages on the same origin: the refresh token is set as the cookie `__Host-refresh_token` "
    "(HttpOnly, Secure, SameSite=Strict; without HTTPS `refresh_token`, with the path of `refresh`), and "
    "`refresh_token` in the body is empty. Logins and logouts then count for the pages of the OpenID provider too. "
    "Requires an `Origin` equal to the address called. `refresh` then takes the token from the cookie and ignores the "
    "body.",
    examples=[OpenApiExample(BODY, value=BODY)],
)


class ForeignOrigin(Problem):
    status = 403
    title = "Foreign origin"
    detail = "The cookie is only for pages of this origin, and the request comes from another one."


def wanted(request: Request) -> bool:
    """True when the request asks for the cookie. Raises ForeignOrigin, and ValidationError for an unknown value."""
    word = request.headers.get(HEADER, BODY)
    if word not in (BODY, COOKIE):
        raise ValidationError({HEADER: [f"Must be {BODY} or {COOKIE}."]})
    if word == COOKIE and not _is_own(request):
        raise ForeignOrigin
    return word == COOKIE


def _is_own(request: Request) -> bool:
    """Browsers set both headers; scripts cannot change them."""
    address = _address(request.headers.get("Origin", ""))
    return bool(address) and address == request.headers.get("Host", "").lower()


def _address(origin: str) -> str:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return ""
    return parts.netloc.lower() if parts.scheme in ("http", "https") else ""


def presented(request: Request) -> str:
    """The refresh token in the cookie. Raises InvalidRefreshToken when there is none."""
    token = request.COOKIES.get(_attributes(secure=_is_secure(request))["key"], "")
    if not 0 < len(token) <= fields.MAXIMUM_OPAQUE_TOKEN_LENGTH or "\0" in token:
        raise InvalidRefreshToken
    return str(token)


def _is_secure(request: Request) -> bool:
    """True when the page was loaded over HTTPS, according to its `Origin`."""
    return bool(request.headers["Origin"].lower().startswith("https:"))


def _attributes(*, secure: bool) -> dict[str, Any]:
    always = {"httponly": True, "samesite": "Strict"}
    if secure:
        return always | {"key": NAME, "path": "/", "secure": True}
    return always | {"key": PLAIN_NAME, "path": reverse("refresh"), "secure": False}


def answer_tokens(request: Request, pair: TokenPair) -> Response:
    """The tokens, in the body or the cookie as requested."""
    if not wanted(request):
        return answer(serializers.TokenOutput, pair)
    response = answer(serializers.TokenOutput, replace(pair, refresh_token=""))
    set_refresh_token(response, pair, secure=_is_secure(request))
    return response


def answer_signed_in(request: Request, pair: TokenPair, *, at: datetime) -> Response:
    """The tokens of a new session; in a browser that asks for the cookie, the provider's pages know the session too."""
    response = answer_tokens(request, pair)
    if wanted(request):
        page_cookies.set_session(response, pair.session.id, at=at)
    return response


def set_refresh_token(response: HttpResponse, pair: TokenPair, *, secure: bool) -> None:
    """Give the refresh token to the browser, for `refresh` only; `secure` over HTTPS."""
    response.set_cookie(value=pair.refresh_token, max_age=pair.refresh_expires_in, **_attributes(secure=secure))


def answer_signed_out(request: Request) -> Response:
    """An empty answer, which deletes the cookies when the request asks for cookies."""
    response = Response(status=204)
    if wanted(request):
        gone = _attributes(secure=_is_secure(request))
        response.set_cookie(max_age=0, expires="Thu, 01 Jan 1970 00:00:00 GMT", **gone)
        page_cookies.delete_session(response)
    return response
