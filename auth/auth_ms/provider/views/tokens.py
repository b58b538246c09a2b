"""The endpoints that clients call: token, pushed requests, introspection, revocation, userinfo."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from auth_ms import metrics, users_client
from auth_ms.provider import claims, examples, metadata, scopes, serializers
from auth_ms.provider.errors import (
    AuthorizationError,
    InsufficientScope,
    InvalidBearerToken,
    InvalidProof,
    NotForClient,
    OAuthError,
)
from auth_ms.provider.services import access_tokens, authorization, dpop, grants, introspection, organizations
from auth_ms.provider.views.forms import NO_STORE, ForClients, authenticated, proven_key, read
from auth_ms.sessions import acting
from auth_ms.sessions.authentication import ACCESS_TOKEN
from chassis.http.client_address import client_of
from chassis.http.errors import CONTENT_TYPE
from chassis.http.openapi import problems


def errors(*statuses: int) -> dict[Any, Any]:
    """The error responses of an endpoint for clients, for OpenAPI."""
    return {
        status: OpenApiResponse(
            serializers.OAuthErrorOutput,
            description="An error of RFC 6749, §5.2.",
            examples=[examples.error(status)],
        )
        for status in (*statuses, 503)
    } | {(413, CONTENT_TYPE): problems(413)[413, CONTENT_TYPE]}


class Token(ForClients):
    methods_for_pages = "POST"
    _grant_type = ""  # as the request says, for the metrics

    @extend_schema(
        operation_id="oauth_token",
        request={"application/x-www-form-urlencoded": serializers.TokenInput},
        responses={200: serializers.OAuthTokenOutput, **errors(400, 401, 429)},
        examples=[examples.CLIENT_CREDENTIALS, examples.TOKENS],
        tags=["oauth"],
    )
    def post(self, request: Request) -> Response:
        """Exchange a code, a refresh token, or the client's own credentials for tokens (RFC 6749, §3.2)."""
        self._grant_type = str(request.data.get("grant_type"))
        by, form, resources = authenticated(request)
        bound_to = proven_key(request, required=by.dpop_bound_access_tokens)
        asked = grants.TokenRequest(
            form=form, resources=resources, by=by, bound_to=bound_to, client=client_of(request), at=timezone.now()
        )
        return Response(grants.exchange(asked), headers=NO_STORE)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        if request.method == "POST":
            members = response.data if isinstance(response.data, dict) else {}
            kind = self._grant_type
            known = kind.rpartition(":")[2] if kind in metadata.GRANT_TYPES else "other"
            outcome = str(members.get("error", "success" if response.status_code == 200 else response.status_code))
            metrics.oauth_token_requests.labels(known, outcome).inc()
        return response


class PushedAuthorizationRequest(ForClients):
    methods_for_pages = "POST"

    @extend_schema(
        operation_id="oauth_push_authorization_request",
        request={"application/x-www-form-urlencoded": serializers.PushedRequestInput},
        responses={201: serializers.PushedRequestOutput, **errors(400, 401, 429)},
        examples=[examples.PUSHED_REQUEST, examples.PUSHED],
        tags=["oauth"],
    )
    def post(self, request: Request) -> Response:
        """Push the parameters of an authorization request; the browser carries only `request_uri` (RFC 9126)."""
        by, form, resources = authenticated(request)
        try:
            if "request_uri" in form:
                raise OAuthError("invalid_request", "A pushed request must not contain request_uri.")
            proven = proven_key(request, required=False)
            if proven is not None and form.setdefault("dpop_jkt", proven) != proven:
                raise InvalidProof("dpop_jkt is of another key.")
            parameters = authorization.check(form, resources, client=by)
        except NotForClient as error:
            raise OAuthError("invalid_request", "redirect_uri is not registered.") from error
        except AuthorizationError as error:
            raise OAuthError(error.code, error.description) from error
        request_uri = authorization.push(parameters, client=by, at=timezone.now())
        seconds = int(authorization.PUSHED_LIFE.total_seconds())
        return Response({"request_uri": request_uri, "expires_in": seconds}, status=201, headers=NO_STORE)


class OAuthIntrospection(ForClients):
    @extend_schema(
        operation_id="oauth_introspect",
        request={"application/x-www-form-urlencoded": serializers.PresentedTokenInput},
        responses={200: serializers.OAuthIntrospectionOutput, **errors(400, 401, 429)},
        examples=[examples.PRESENTED, examples.INTROSPECTED],
        tags=["oauth"],
    )
    def post(self, request: Request) -> Response:
        """Say whether a token for a resource of this client is valid now (RFC 7662). For confidential clients."""
        by, form, _ = authenticated(request)
        if by.is_public:
            raise OAuthError("unauthorized_client", "Only a client with a secret may ask.", status=403)
        return Response(introspection.introspect(token=_token(form), by=by, at=timezone.now()), headers=NO_STORE)


class Revocation(ForClients):
    methods_for_pages = "POST"

    @extend_schema(
        operation_id="oauth_revoke",
        request={"application/x-www-form-urlencoded": serializers.PresentedTokenInput},
        responses={200: None, **errors(400, 401, 429)},
        examples=[examples.PRESENTED],
        tags=["oauth"],
    )
    def post(self, request: Request) -> Response:
        """End a token of this client (RFC 7009); a refresh token ends everything that the user granted with it."""
        by, form, _ = authenticated(request)
        introspection.revoke(token=_token(form), by=by, client=client_of(request), at=timezone.now())
        return Response(status=200, headers=NO_STORE)


def _token(form: dict[str, str]) -> str:
    if "token" not in form:
        raise OAuthError("invalid_request", "token is missing.")
    return form["token"]


class UserInfo(ForClients):
    methods_for_pages = "GET, POST"

    @extend_schema(
        operation_id="oauth_userinfo",
        responses={200: serializers.UserInfoOutput, **errors(401, 403)},
        examples=[examples.USERINFO],
        auth=ACCESS_TOKEN,
        tags=["oauth"],
    )
    def get(self, request: Request) -> Response:
        """Get the claims that the user has granted with the access token (OpenID Connect Core 1.0, §5.3)."""
        return self._answer(request, request.headers.get("Authorization", ""))

    @extend_schema(
        operation_id="oauth_userinfo_by_post",
        request={"application/x-www-form-urlencoded": serializers.UserInfoInput},
        responses={200: serializers.UserInfoOutput, **errors(400, 401, 403)},
        examples=[examples.USERINFO_INPUT, examples.USERINFO],
        auth=ACCESS_TOKEN,
        tags=["oauth"],
    )
    def post(self, request: Request) -> Response:
        """The same by POST, with the token in the header or as `access_token` in a form (RFC 6750, §2.2)."""
        header = request.headers.get("Authorization", "")
        form = read(request.data)[0] if request.content_type.startswith("application/x-www-form-urlencoded") else {}
        if header and "access_token" in form:
            raise OAuthError("invalid_request", "The access token is sent in two ways at once.")
        return self._answer(request, header or f"Bearer {form.get('access_token', '')}".strip())

    def _answer(self, request: Request, header: str) -> Response:
        scheme, _, token = header.partition(" ")
        if scheme.lower() not in ("bearer", "dpop") or not token:
            challenges = f'Bearer realm="tessera", {dpop.challenge()}'
            raise OAuthError(
                "invalid_request", "The access token is missing.", status=401, headers={"WWW-Authenticate": challenges}
            )
        found = access_tokens.find(token.strip(), at=timezone.now(), audience=access_tokens.userinfo_audience())
        if found is None or found[1] is None:
            raise InvalidBearerToken
        members, grant = found
        _check_possession(request, scheme.lower(), token.strip(), members)
        granted, requested = members["scope"].split(), grant.parameters["claims"]["userinfo"]
        attributes = claims.need_attributes(grant.client, scopes=granted, requested=requested)
        user = users_client.find_credentials(user_id=grant.user_id, attributes=attributes)
        if user is None or not user.is_active or not acting.is_allowed(grant.actor_id, user=user):
            raise InvalidBearerToken
        if scopes.OPENID not in granted:
            raise InsufficientScope(scopes.OPENID)
        organization = organizations.find(grant, scopes_now=granted)
        if organization is None:
            raise InvalidBearerToken
        told = claims.of_user(user, client=grant.client, scopes=granted, requested=requested) | organization
        return Response({"sub": members["sub"], **told}, headers=NO_STORE)


def _check_possession(request: Request, scheme: str, token: str, members: dict[str, Any]) -> None:
    """Raises OAuthError unless a bound token comes with a proof of its key, and an unbound one as a bearer token (RFC
    9449, §7)."""
    bound_to = access_tokens.key_of(members)
    if scheme == "bearer" and bound_to is None:
        return
    try:
        if bound_to is None or scheme == "bearer":
            raise OAuthError("invalid_token", "A token that is bound to a key belongs to the scheme DPoP, others not.")
        if proven_key(request, access_token=token, required=True) != bound_to:
            raise OAuthError("invalid_token", "The token is bound to another key.")
    except OAuthError as error:
        headers = {"WWW-Authenticate": dpop.challenge(error)}
        raise OAuthError(error.code, error.description, status=401, headers=headers) from error
