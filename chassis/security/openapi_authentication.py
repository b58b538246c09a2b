"""How OpenAPI documents describe bearer tokens.

Separate from `openapi_schema`, which imports views: authentication classes are imported before those.
"""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class AccessTokenScheme(OpenApiAuthenticationExtension):
    target_class = "chassis.security.authentication.BearerAuthentication"
    name = "accessToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "from POST /auth-ms/auth/login",
        }


class UserOrClientScheme(AccessTokenScheme):
    target_class = "chassis.security.authentication.UserOrClientAuthentication"


class ServiceTokenScheme(OpenApiAuthenticationExtension):
    target_class = "chassis.security.authentication.ServiceAuthentication"
    name = "serviceToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "auth-ms signs it for itself"}
