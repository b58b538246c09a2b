"""What the endpoints for clients share: forms in, JSON with the codes of RFC 6749 out, CORS."""

import base64
import binascii
from typing import Any
from urllib.parse import unquote_plus

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import QueryDict
from django.utils import timezone
from rest_framework import exceptions
from rest_framework.parsers import FormParser
from rest_framework.request import Request
from rest_framework.response import Response

from auth_ms.provider.errors import InvalidClient, InvalidProof, OAuthError
from auth_ms.provider.models import OAuthClient
from auth_ms.provider.services import authentication, dpop
from auth_ms.provider.services.authentication import Credentials
from auth_ms.view_helpers import OpenToAll
from chassis.http.client_address import client_of
from chassis.http.errors import ServiceUnavailable, TooManyRequests, as_problem

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}  # RFC 6749, §5.1
MAXIMUM_LENGTH = 8192
REPEATABLE = "resource"  # RFC 8707, §2
EXPOSED = "DPoP-Nonce, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate"  # to scripts of other origins


class ForClients(OpenToAll):
    """An endpoint that answers errors as RFC 6749, §5.2, says, and that pages of registered origins may call."""

    parser_classes = [FormParser]
    methods_for_pages = ""

    def handle_exception(self, exc: Exception) -> Response:
        error = _as_oauth_error(exc)
        if error is None:
            return super().handle_exception(exc)
        response = Response(error.members, status=error.status, headers=NO_STORE | error.headers)
        response.exception = True
        return response

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """A preflight request of a page (https://fetch.spec.whatwg.org/#cors-preflight-fetch)."""
        return Response(status=204)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        if "DPoP" in request.headers:
            response.headers["DPoP-Nonce"] = dpop.nonce(at=timezone.now())
        origin = request.headers.get("Origin", "")
        if self.methods_for_pages and origin:
            response.headers["Vary"] = "Origin"
            if "\0" not in origin and _is_registered(origin):
                response.headers["Access-Control-Allow-Origin"] = origin
                response.headers["Access-Control-Expose-Headers"] = EXPOSED
                if request.method == "OPTIONS":
                    response.headers["Access-Control-Allow-Methods"] = self.methods_for_pages
                    response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, DPoP"
                    response.headers["Access-Control-Max-Age"] = "600"
        return response


def _is_registered(origin: str) -> bool:
    return OAuthClient.objects.filter(web_origins__contains=[origin], is_active=True).exists()


def _as_oauth_error(error: Exception) -> OAuthError | None:
    if isinstance(error, OAuthError):
        return error
    if isinstance(error, exceptions.UnsupportedMediaType | exceptions.ParseError):
        return OAuthError("invalid_request", "The body must be a form (application/x-www-form-urlencoded).")
    if isinstance(error, OperationalError | InterfaceError):
        error = as_problem(error) or error  # which logs it
    if isinstance(error, TooManyRequests | ServiceUnavailable):
        description = error.detail or error.title
        return OAuthError("temporarily_unavailable", description, status=error.status, headers=error.headers)
    return None


def read(data: Any) -> tuple[dict[str, str], list[str]]:
    """The parameters, each at most once, and the values of `resource`. Raises OAuthError.

    Empty ones count as absent (RFC 6749, §3.1).
    """
    if not isinstance(data, QueryDict):
        raise OAuthError("invalid_request", "The body must be a form (application/x-www-form-urlencoded).")
    form: dict[str, str] = {}
    for name, values in data.lists():
        given = [str(value) for value in values if value != ""]
        if any(len(value) > MAXIMUM_LENGTH or "\0" in value for value in (name, *given)):
            raise OAuthError("invalid_request", "A parameter is too long or contains the character NUL.")
        if name != REPEATABLE and len(given) > 1:
            raise OAuthError("invalid_request", "A parameter is repeated.")
        if name != REPEATABLE and given:
            form[name] = given[0]
    return form, [value for value in data.getlist(REPEATABLE) if value]


def authenticated(request: Request) -> tuple[OAuthClient, dict[str, str], list[str]]:
    """The authenticated client of a request, its parameters and resources. Raises OAuthError and TooManyRequests."""
    form, resources = read(request.data)
    given = _credentials(request.headers.get("Authorization"), form, endpoint=f"{settings.PUBLIC_URL}{request.path}")
    return authentication.authenticate(given, client=client_of(request), at=timezone.now()), form, resources


def proven_key(request: Request, *, required: bool, access_token: str | None = None) -> str | None:
    """The thumbprint of the key in the DPoP proof of a request; None without one (RFC 9449, §4). Raises OAuthError."""
    proof = request.headers.get("DPoP")
    if proof is None and required:
        raise InvalidProof("The header DPoP is missing.")
    if proof is None:
        return None
    url = f"{settings.PUBLIC_URL}{request.path}"
    return dpop.check(proof, method=str(request.method), url=url, access_token=access_token, at=timezone.now())


def _credentials(header: str | None, form: dict[str, str], *, endpoint: str) -> Credentials:
    """The one proof that a request has. Raises OAuthError."""
    assertion, client_id = form.get("client_assertion"), form.get("client_id")
    if sum(proof is not None for proof in (header, form.get("client_secret"), assertion)) > 1:
        raise OAuthError("invalid_request", "The client authenticates in two ways at once.")
    if (assertion is None) != ("client_assertion_type" not in form):
        raise OAuthError("invalid_request", "client_assertion and client_assertion_type belong together.")
    if form.get("client_assertion_type", authentication.ASSERTION_TYPE) != authentication.ASSERTION_TYPE:
        raise OAuthError("invalid_request", f"client_assertion_type must be {authentication.ASSERTION_TYPE}.")
    if header is None:
        secret = form.get("client_secret")
        return Credentials(client_id=client_id, secret=secret, assertion=assertion, endpoint=endpoint)
    named, secret = _basic(header)
    if client_id not in (None, named):
        raise OAuthError("invalid_request", "client_id is not that of the Authorization header.")
    return Credentials(client_id=named, secret=secret, basic=True, endpoint=endpoint)


def _basic(header: str) -> tuple[str, str]:
    """The id and secret, which are form-encoded within the header (RFC 6749, §2.3.1). Raises InvalidClient."""
    scheme, _, value = header.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError(scheme)
        encoded_id, colon, encoded_secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
        client_id, secret = unquote_plus(encoded_id), unquote_plus(encoded_secret)
        if not colon or "\0" in client_id + secret:
            raise ValueError(value)
    except (ValueError, binascii.Error) as error:
        raise InvalidClient(basic=True) from error
    return client_id, secret
