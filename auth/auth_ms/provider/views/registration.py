"""Dynamic client registration (RFC 7591 and RFC 7592); 404 unless CLIENT_REGISTRATION is on."""

from typing import Any

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from auth_ms.provider import examples, registration_schema
from auth_ms.provider.errors import InvalidBearerToken
from auth_ms.provider.serializers import ClientInput
from auth_ms.provider.services import clients, registration
from auth_ms.provider.services.registration import InvalidMetadata
from auth_ms.provider.views.clients import NO_MEMBERS
from auth_ms.provider.views.forms import NO_STORE, ForClients
from auth_ms.provider.views.tokens import errors
from auth_ms.sessions.authentication import ACCESS_TOKEN
from chassis.http.client_address import client_of
from chassis.http.errors import CONTENT_TYPE, InvalidInput
from chassis.http.openapi import problems
from chassis.http.parsers import StrictJSONParser

_OFF = {(404, CONTENT_TYPE): problems(404)[404, CONTENT_TYPE]}


class _ForRegistration(ForClients):
    """JSON in, and errors with the codes of RFC 7591, §3.2.2."""

    parser_classes = [StrictJSONParser]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if settings.CLIENT_REGISTRATION == "off":
            raise exceptions.NotFound

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, exceptions.ParseError | exceptions.UnsupportedMediaType):
            exc = InvalidMetadata("The body must be a JSON object (application/json).")
        if isinstance(exc, clients.ClientNotFound):  # it ended, or an admin took it over, during the request
            exc = InvalidBearerToken()
        if isinstance(exc, InvalidInput):
            exc = _as_metadata_error(exc.errors)
        return super().handle_exception(exc)


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise InvalidBearerToken("The access token is missing.")
    return token.strip()


def _values(body: Any) -> dict[str, Any]:
    """The metadata in `body`, checked as an admin's input. Raises InvalidMetadata."""
    given = ClientInput(data=registration.as_registration(body))
    if not given.is_valid():
        raise _as_metadata_error(given.errors)
    return NO_MEMBERS | dict(given.validated_data)


def _as_metadata_error(found: dict[str, Any] | None) -> InvalidMetadata:
    names = {ours: name for name, ours in registration.NAMES.items()}
    reasons = {names.get(field, field): _text(reason) for field, reason in (found or {}).items()}
    is_redirect = set(reasons) == {"redirect_uris"}
    description = " ".join(f"{name}: {reason}" for name, reason in reasons.items())
    return InvalidMetadata(description, code="invalid_redirect_uri" if is_redirect else "invalid_client_metadata")


def _text(reason: Any) -> str:
    if isinstance(reason, dict):
        return " ".join(_text(each) for each in reason.values())
    return " ".join(str(each) for each in reason)


class Registration(_ForRegistration):
    @extend_schema(
        operation_id="oauth_register",
        request=registration_schema.ClientMetadataInput,
        responses={201: registration_schema.ClientInformationOutput, **errors(400, 401, 403, 429), **_OFF},
        examples=[examples.METADATA, examples.INFORMATION_CREATED],
        auth=ACCESS_TOKEN,
        tags=["oauth"],
    )
    def post(self, request: Request) -> Response:
        """Register a client with an initial access token: one of a client that has the scope `clients:register`.

        404 unless CLIENT_REGISTRATION is on. Unknown members are ignored (RFC 7591).
        """
        client, at = client_of(request), timezone.now()
        by = registration.admit(_token(request), client=client, at=at)
        made = registration.register(values=_values(request.data), by=by, client=client, at=at)
        return Response(registration.information(made), status=201, headers=NO_STORE)


class Registered(_ForRegistration):
    def _known(self, request: Request, client_id: str) -> registration.Registered:
        return registration.find(
            client_id=client_id, token=_token(request), client=client_of(request), at=timezone.now()
        )

    @extend_schema(
        operation_id="oauth_get_registration",
        responses={200: registration_schema.ClientInformationOutput, **errors(401, 403, 429), **_OFF},
        examples=[examples.INFORMATION],
        auth=ACCESS_TOKEN,
        tags=["oauth"],
    )
    def get(self, request: Request, client_id: str) -> Response:
        """Get the metadata of the client, with its registration access token (RFC 7592)."""
        return Response(registration.information(self._known(request, client_id)), headers=NO_STORE)

    @extend_schema(
        operation_id="oauth_change_registration",
        request=registration_schema.ClientMetadataInput,
        responses={200: registration_schema.ClientInformationOutput, **errors(400, 401, 403, 429), **_OFF},
        examples=[examples.METADATA_CHANGE, examples.INFORMATION],
        auth=ACCESS_TOKEN,
        tags=["oauth"],
    )
    def put(self, request: Request, client_id: str) -> Response:
        """Replace the metadata of the client; what is left out returns to its default (RFC 7592, §2.2)."""
        known, at = self._known(request, client_id), timezone.now()
        values = _values(request.data)
        registration.check_change(request.data, client=known.client, at=at)
        changed = registration.change(known=known, values=values, client=client_of(request), at=at)
        return Response(registration.information(changed), headers=NO_STORE)

    @extend_schema(
        operation_id="oauth_delete_registration",
        responses={204: None, **errors(401, 403, 429), **_OFF},
        auth=ACCESS_TOKEN,
        tags=["oauth"],
    )
    def delete(self, request: Request, client_id: str) -> Response:
        """Delete the client, and end everything that users granted it (RFC 7592, §2.3)."""
        known = self._known(request, client_id)
        clients.delete(client_id=known.client.client_id, actor_id=None, client=client_of(request), at=timezone.now())
        return Response(status=204, headers=NO_STORE)
