"""The discovery document (OpenID Connect Discovery 1.0, §3, and RFC 8414, §2)."""

from typing import Any

from django.conf import settings

from auth_ms.keys.services import issuing
from auth_ms.provider import claims, jwk, scopes

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"  # RFC 8628, §3.4
GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials", DEVICE_CODE)
RESPONSE_MODES = ("query", "form_post")
AUTHENTICATION = ("client_secret_basic", "client_secret_post", "private_key_jwt", "none")
_AUTHENTICATED = ("token", "introspection", "revocation")


def document() -> dict[str, Any]:
    """What a client library needs to know of this provider."""
    base = f"{settings.PUBLIC_URL}/auth-ms/oauth"
    return {
        "issuer": settings.PUBLIC_URL,
        "authorization_endpoint": f"{base}/authorize",
        "pushed_authorization_request_endpoint": f"{base}/par",
        "device_authorization_endpoint": f"{base}/device",
        "token_endpoint": f"{base}/token",
        "userinfo_endpoint": f"{base}/userinfo",
        "introspection_endpoint": f"{base}/introspect",
        "revocation_endpoint": f"{base}/revoke",
        "end_session_endpoint": f"{base}/end-session",
        **({"registration_endpoint": f"{base}/register"} if settings.CLIENT_REGISTRATION == "token" else {}),
        "jwks_uri": f"{settings.PUBLIC_URL}/auth-ms/.well-known/jwks.json",
        "scopes_supported": list(scopes.IDENTITY),
        "response_types_supported": ["code"],
        "response_modes_supported": list(RESPONSE_MODES),
        "grant_types_supported": list(GRANT_TYPES),
        "subject_types_supported": ["public", "pairwise"],
        "id_token_signing_alg_values_supported": ["ES256", "RS256"],
        "token_endpoint_auth_methods_supported": list(AUTHENTICATION),
        "introspection_endpoint_auth_methods_supported": list(AUTHENTICATION[:3]),
        "revocation_endpoint_auth_methods_supported": list(AUTHENTICATION),
        **{f"{name}_endpoint_auth_signing_alg_values_supported": list(jwk.ALGORITHMS) for name in _AUTHENTICATED},
        "code_challenge_methods_supported": ["S256"],
        "dpop_signing_alg_values_supported": list(jwk.ALGORITHMS),
        "claims_supported": list(claims.SUPPORTED),
        "claim_types_supported": ["normal"],
        "acr_values_supported": [issuing.ONE_FACTOR, issuing.TWO_FACTORS],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "ui_locales_supported": ["en", "it"],
        "claims_parameter_supported": True,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "authorization_response_iss_parameter_supported": True,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "frontchannel_logout_supported": True,
        "frontchannel_logout_session_supported": True,
    }
