"""Clients that register themselves (RFC 7591), and manage themselves afterwards (RFC 7592).

What they ask for is checked as what admins register. They are never first-party, and get no scopes but those that each
user consents to.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auth_ms.audit import services as audit
from auth_ms.keys.services import issuing
from auth_ms.provider import metadata, scopes
from auth_ms.provider.errors import InvalidBearerToken, OAuthError
from auth_ms.provider.models import OAuthClient
from auth_ms.provider.services import authentication, clients, own_resources
from chassis.http.client_address import Client
from chassis.security.rate_limits import services as rate_limits

REGISTRATIONS = rate_limits.Limit(name="client_registration", times=100, seconds=3600, is_shown=True)
SCOPES = [scope for scope in scopes.IDENTITY if scope not in ("roles", scopes.ATTRIBUTES, scopes.ORGANIZATION)]
GRANT_TYPES = ("authorization_code", "refresh_token", metadata.DEVICE_CODE)
# Members that RFC 7591 and OpenID Connect name as the model does, and the two that they do not.
_SAME = (
    "token_endpoint_auth_method",
    "grant_types",
    "redirect_uris",
    "post_logout_redirect_uris",
    "backchannel_logout_uri",
    "backchannel_logout_session_required",
    "frontchannel_logout_uri",
    "frontchannel_logout_session_required",
    "logo_uri",
    "client_uri",
    "policy_uri",
    "tos_uri",
    "subject_type",
    "dpop_bound_access_tokens",
    "jwks",
    "jwks_uri",
)
NAMES = {name: name for name in _SAME} | {"client_name": "name", "id_token_signed_response_alg": "signing_algorithm"}
_FROM_SERVER = (  # RFC 7592, §2.2: not part of a change
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
)


class InvalidMetadata(OAuthError):
    """RFC 7591, §3.2.2."""

    def __init__(self, description: str, *, code: str = "invalid_client_metadata") -> None:
        super().__init__(code, description)


@dataclass(frozen=True, kw_only=True)
class Registered:
    """A client, the token with which it manages itself, and its secret, if this request has made one."""

    client: OAuthClient
    token: str
    secret: str | None = None


def as_registration(body: Any) -> dict[str, Any]:
    """The input of a registration by admins that the metadata in `body` stands for. Raises InvalidMetadata.

    A member that is null counts as left out (RFC 7592, §2.2), and an unknown one is ignored (RFC 7591, §2).
    """
    if not isinstance(body, dict):
        raise InvalidMetadata("The body must be a JSON object.")
    given = {name: value for name, value in body.items() if value is not None}
    values = {ours: given[name] for name, ours in NAMES.items() if name in given}
    values.setdefault("name", _host(values.get("redirect_uris")))
    values.setdefault("signing_algorithm", "RS256")  # OpenID Connect Dynamic Client Registration 1.0, §2
    values["scopes"] = _scopes(given.get("scope"))
    grants = values.get("grant_types", ["authorization_code"])
    if not isinstance(grants, list) or any(grant not in GRANT_TYPES for grant in grants):
        raise InvalidMetadata(f"grant_types: may contain {', '.join(GRANT_TYPES)}.")
    expected = ["code"] if "authorization_code" in grants else []
    if given.get("response_types", expected) != expected:
        raise InvalidMetadata(f"response_types: must be {expected} for these grant types.")
    return values


def admit(initial_token: str, *, client: Client, at: datetime) -> OAuthClient:
    """The client that may register others with this initial access token (RFC 7591, §3).

    Raises InvalidBearerToken, InsufficientScope and TooManyRequests.
    """
    try:
        by = own_resources.caller(initial_token, path=own_resources.REGISTRATION, at=at)
    except InvalidBearerToken:
        _count_failure(client, at=at, reason="The initial access token is not valid.")
        raise
    by.check_scope(own_resources.REGISTER)
    rate_limits.take(REGISTRATIONS, key=by.client.client_id)
    return by.client


def register(*, values: dict[str, Any], by: OAuthClient, client: Client, at: datetime) -> Registered:
    """Store a client with a token to manage itself. Raises InvalidInput."""
    token = issuing.opaque_token()
    made = clients.register(
        values=values | {"registration_token_hash": token.digest, "registered_by": by.client_id},
        actor_id=None,
        client=client,
        at=at,
        registered_by=by.client_id,
    )
    return Registered(client=made.client, token=token.text, secret=made.secret)


def find(*, client_id: str, token: str, client: Client, at: datetime) -> Registered:
    """The client that `token` manages.

    Raises InvalidBearerToken, also for a client that does not exist, and TooManyRequests.
    """
    found = OAuthClient.objects.filter(client_id=client_id, is_active=True).first()
    stored = bytes(found.registration_token_hash or b"") if found else b""
    if found is None or not hmac.compare_digest(stored, issuing.digest_of(token)):
        _count_failure(client, at=at, client_id=found and found.client_id)
        raise InvalidBearerToken("The registration access token is not valid for this client.")
    return Registered(client=found, token=token)


def _count_failure(client: Client, *, at: datetime, **facts: Any) -> None:
    rate_limits.take(authentication.FAILURES, key=client.network)
    audit.record(audit.Event.CLIENT_AUTHENTICATION, client=client, at=at, succeeded=False, **facts)


def check_change(body: dict[str, Any], *, client: OAuthClient, at: datetime) -> None:
    """Raises InvalidMetadata unless `body` may replace the metadata of `client` (RFC 7592, §2.2)."""
    if any(name in body for name in _FROM_SERVER):
        raise InvalidMetadata(f"A change must not contain {', '.join(_FROM_SERVER)}.")
    if body.get("client_id") != client.client_id:
        raise InvalidMetadata("client_id: must be that of the client.")
    secret = body.get("client_secret", "")
    if "client_secret" in body and not authentication.has_secret(client, str(secret), at=at):
        raise InvalidMetadata("client_secret: must be that of the client, which cannot choose another.")


def change(*, known: Registered, values: dict[str, Any], client: Client, at: datetime) -> Registered:
    """Replace the metadata of a client. Raises ClientNotFound and InvalidInput."""
    changed = clients.change(
        client_id=known.client.client_id,
        values=values,
        actor_id=None,
        client=client,
        at=at,
        registration_token_hash=issuing.digest_of(known.token),
    )
    return Registered(client=changed, token=known.token)


def information(known: Registered) -> dict[str, Any]:
    """The client information response (RFC 7591, §3.2.1, and RFC 7592, §3). All values are as they are stored."""
    client = known.client
    uri = f"{own_resources.uri(own_resources.REGISTRATION)}/{client.client_id}"
    members = {name: getattr(client, ours) for name, ours in NAMES.items()}
    secret = {"client_secret": known.secret} if known.secret else {}
    return (
        {"client_id": client.client_id, "client_id_issued_at": int(client.created_at.timestamp())}
        | secret
        | ({"client_secret_expires_at": 0} if client.has_secret else {})
        | {"registration_access_token": known.token, "registration_client_uri": uri}
        | {name: value for name, value in members.items() if value not in (None, "")}
        | {
            "scope": " ".join(client.scopes),
            "response_types": ["code"] if "authorization_code" in client.grant_types else [],
        }
    )


def _scopes(text: Any) -> list[str]:
    wanted = scopes.parse(text) if isinstance(text, str) else SCOPES if text is None else None
    if wanted is None or any(scope not in SCOPES for scope in wanted):
        raise InvalidMetadata(f"scope: may contain {' '.join(SCOPES)}.")
    return wanted


def _host(redirect_uris: Any) -> str:
    """What a client without a name is called: where it sends its users."""
    first = redirect_uris[0] if isinstance(redirect_uris, list) and redirect_uris else None
    name = first.split("?")[0] if isinstance(first, str) else ""
    return name[:100] or "An application without a name"
