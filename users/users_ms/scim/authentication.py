"""Authentication of provisioning clients, and SCIM's media type and errors (RFC 7644, §2, §3.1 and §3.12)."""

from typing import Any

from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import ParseError
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from chassis.http import errors
from chassis.http.parsers import StrictJSONParser
from users_ms.scim import services
from users_ms.scim.problems import ScimError
from users_ms.scim.resources import MEDIA_TYPE

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


class ScimAuthentication(BaseAuthentication):
    """`Authorization: Bearer tsr_scim_...`, looked up for each request, so that a revoked one has no effect."""

    def authenticate(self, request: Request) -> tuple[services.Provisioner, None] | None:
        """The client; None without a bearer token. Raises AuthenticationFailed and TooManyRequests."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        return services.authenticate(token.strip(), at=timezone.now()), None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="tessera"'


class IsProvisioner(BasePermission):
    """A provisioning client, which is no user and no service."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.user, services.Provisioner)


class ScimTokenScheme(OpenApiAuthenticationExtension):
    target_class = "users_ms.scim.authentication.ScimAuthentication"
    name = "scimToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "tsr_scim_...",
            "description": "from POST /users-ms/organisations/{organisation_id}/scim-clients",
        }


class ScimParser(StrictJSONParser):
    media_type = MEDIA_TYPE


class GroupParser(ScimParser):
    """Of groups, whose members may be thousands; the path is in settings.BODY_LIMITS."""

    maximum_bytes = 256 * 1024


class GroupJSONParser(GroupParser):
    media_type = StrictJSONParser.media_type


class ScimRenderer(JSONRenderer):
    media_type = MEDIA_TYPE


def answer_error(error: Exception, context: dict[str, Any]) -> Response | None:
    """Django REST framework's exception handler for SCIM. None for unexpected exceptions, which Django logs."""
    problem = errors.as_problem(error)
    if problem is None:
        return None
    body = {"schemas": [ERROR], "status": str(problem.status), "detail": problem.detail or problem.title}
    if isinstance(error, ParseError):
        body["scimType"] = "invalidSyntax"
    if isinstance(problem, ScimError) and problem.scim_type:
        body["scimType"] = problem.scim_type
    return Response(body, status=problem.status, headers=problem.headers, content_type=MEDIA_TYPE)
