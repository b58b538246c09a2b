"""Errors with the codes of the OAuth 2.0 specifications."""

from typing import Any


class OAuthError(Exception):
    """An error that a client receives as `error` and `error_description` (RFC 6749, §5.2)."""

    def __init__(
        self, code: str, description: str, *, status: int = 400, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.status = status
        self.headers = headers or {}

    @property
    def members(self) -> dict[str, Any]:
        """The body of the error response."""
        return {"error": self.code, "error_description": self.description}


class InvalidClient(OAuthError):
    """The client is unknown, or its authentication failed; `basic` when it used the Authorization header."""

    def __init__(self, reason: str = "", *, basic: bool = False) -> None:
        headers = {"WWW-Authenticate": 'Basic realm="tessera"'} if basic else {}
        description = f"Client authentication failed. {reason}".strip()
        super().__init__("invalid_client", description, status=401, headers=headers)


class InvalidGrant(OAuthError):
    def __init__(self, description: str = "The code or refresh token is not valid, expired, or was revoked.") -> None:
        super().__init__("invalid_grant", description)


class InvalidProof(OAuthError):
    """The DPoP proof is missing, or not one for this request (RFC 9449, §5)."""

    def __init__(self, reason: str) -> None:
        super().__init__("invalid_dpop_proof", f"The DPoP proof is not valid. {reason}")


class UseNonce(OAuthError):
    """The DPoP proof must contain the nonce in the header DPoP-Nonce (RFC 9449, §8)."""

    def __init__(self) -> None:
        super().__init__("use_dpop_nonce", "The DPoP proof must contain the nonce of the header DPoP-Nonce.")


class InvalidBearerToken(OAuthError):
    """The access token in the Authorization header is not valid (RFC 6750, §3.1)."""

    def __init__(self, description: str = "The access token is not valid.") -> None:
        challenge = f'Bearer realm="tessera", error="invalid_token", error_description="{description}"'
        super().__init__("invalid_token", description, status=401, headers={"WWW-Authenticate": challenge})


class InsufficientScope(OAuthError):
    """The access token lacks `scope` (RFC 6750, §3.1)."""

    def __init__(self, scope: str) -> None:
        description = f"The scope {scope} is missing."
        challenge = f'Bearer realm="tessera", error="insufficient_scope", scope="{scope}"'
        super().__init__("insufficient_scope", description, status=403, headers={"WWW-Authenticate": challenge})


class NotForClient(Exception):
    """An authorization request whose error the client must not receive, because nothing proves where it is.

    `reason` is the key of a text for the user.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AuthorizationError(Exception):
    """An error of a valid client's authorization request, which goes to its redirect URI (RFC 6749, §4.1.2.1)."""

    def __init__(self, code: str, description: str, *, parameters: dict[str, Any]) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters
