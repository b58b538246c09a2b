"""How OpenAPI documents describe bearer tokens.

Separate from `openapi_schema`, which imports views: authentication classes are imported before those.
"""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class AccessTokenScheme(OpenApiAuthenticationExtension):
    target_class = "chassis.security.authentication.BearerAuthentication"
    name = ["accessToken", "personalAccessToken"]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[str]]]:
        admitted = getattr(auto_schema.view, "personal_token_methods", ())
        return [{name: []} for name in (self.name if auto_schema.method in admitted else self.name[:1])]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        return [
            {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "from POST /auth-ms/auth/login",
            },
            {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "tsr_pat_...",
                "description": "from POST /auth-ms/auth/personal-tokens; with the scope read for GET, write for others",
            },
        ]


class UserOrClientScheme(AccessTokenScheme):
    target_class = "chassis.security.authentication.UserOrClientAuthentication"


class ServiceTokenScheme(OpenApiAuthenticationExtension):
    target_class = "chassis.security.authentication.ServiceAuthentication"
    name = "serviceToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "auth-ms signs it for itself"}
