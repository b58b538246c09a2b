"""Registering clients, and proving that a request comes from one."""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from auth_ms.audit import services as audit
from auth_ms.keys.services import issuing, signing_keys
from auth_ms.provider.errors import InvalidClient
from auth_ms.provider.models import ClientSecret, OAuthClient
from chassis.http.client_address import Client
from chassis.http.errors import InvalidInput, Problem
from chassis.security.rate_limits import services as rate_limits

FAILURES = rate_limits.Limit(name="client_authentication", times=100, seconds=600)


class ClientNotFound(Problem):
    status = 404
    title = "Client not found"


class ClientHasNoSecret(Problem):
    status = 409
    title = "Client has no secret"
    detail = "A public client authenticates with PKCE alone."


@dataclass(frozen=True, kw_only=True)
class Registration:
    """A client, and its new secret in plain text, which is shown only once."""

    client: OAuthClient
    secret: str | None


def find(*, client_id: str) -> OAuthClient:
    """The client with this id. Raises ClientNotFound."""
    found = OAuthClient.objects.filter(client_id=client_id).first()
    if found is None:
        raise ClientNotFound
    return found


def register(*, values: dict[str, Any], actor_id: int | None, client: Client | None, at: datetime) -> Registration:
    """Store a new client with a random id, and a random secret unless it is public. Raises InvalidInput."""
    new = OAuthClient(client_id=secrets.token_hex(16), subject_salt=secrets.token_bytes(32), created_at=at, **values)
    _check(new)
    if new.signing_algorithm == signing_keys.RS256:
        signing_keys.key_ring(signing_keys.RS256)  # published before the first token
    with transaction.atomic():
        new.save()
        secret = None if new.is_public else _add_secret(new, at=at)
        audit.record(
            audit.Event.CLIENT_CREATED, client=client, at=at, actor_id=actor_id, client_id=new.client_id, name=new.name
        )
    return Registration(client=new, secret=secret)


def change(
    *, client_id: str, values: dict[str, Any], actor_id: int | None, client: Client | None, at: datetime
) -> OAuthClient:
    """Change a client; its secrets stay. Raises ClientNotFound and InvalidInput."""
    with transaction.atomic():
        found = OAuthClient.objects.select_for_update().filter(client_id=client_id).first()
        if found is None:
            raise ClientNotFound
        for name, value in values.items():
            setattr(found, name, value)
        _check(found)
        if not found.is_public and not secrets_of(found).exists():
            raise InvalidInput(
                errors={"token_endpoint_auth_method": ["A public client cannot become confidential; register another."]}
            )
        if found.signing_algorithm == signing_keys.RS256:
            signing_keys.key_ring(signing_keys.RS256)
        found.save()
        facts: dict[str, Any] = {"client_id": client_id, "changed": sorted(values)}
        audit.record(audit.Event.CLIENT_CHANGED, client=client, at=at, actor_id=actor_id, **facts)
    return found


def _check(client: OAuthClient) -> None:
    """Rules over several members. Raises InvalidInput."""
    errors = {}
    if "authorization_code" in client.grant_types and not client.redirect_uris:
        errors["redirect_uris"] = ["The grant type authorization_code needs at least one."]
    if "client_credentials" in client.grant_types and client.is_public:
        errors["grant_types"] = ["A public client cannot have client_credentials."]
    if "refresh_token" in client.grant_types and "authorization_code" not in client.grant_types:
        errors["grant_types"] = ["refresh_token needs authorization_code."]
    if client.is_public and not client.require_pkce:
        errors["require_pkce"] = ["A public client needs PKCE."]
    uses_key = client.token_endpoint_auth_method == OAuthClient.Authentication.KEY
    if uses_key != (client.jwks is not None or client.jwks_uri != "") or (client.jwks is not None and client.jwks_uri):
        errors["jwks"] = ["private_key_jwt needs jwks or jwks_uri, not both; other methods need neither."]
    if errors:
        raise InvalidInput(errors=errors)


def rotate_secret(
    *, client_id: str, overlap: timedelta, actor_id: int | None, client: Client | None, at: datetime
) -> Registration:
    """Add a new secret; the old ones are valid for `overlap` from now. Raises ClientNotFound and ClientHasNoSecret."""
    with transaction.atomic():
        found = OAuthClient.objects.select_for_update().filter(client_id=client_id).first()
        if found is None:
            raise ClientNotFound
        if found.is_public:
            raise ClientHasNoSecret
        secrets_of(found).filter(expires_at__lte=at).delete()
        secrets_of(found).filter(Q(expires_at=None) | Q(expires_at__gt=at + overlap)).update(expires_at=at + overlap)
        secret = _add_secret(found, at=at)
        audit.record(audit.Event.CLIENT_SECRET_ROTATED, client=client, at=at, actor_id=actor_id, client_id=client_id)
    return Registration(client=found, secret=secret)


def delete(*, client_id: str, actor_id: int | None, client: Client | None, at: datetime) -> None:
    """Delete a client, and with it its grants, tokens and consents. Raises ClientNotFound."""
    with transaction.atomic():
        if not OAuthClient.objects.filter(client_id=client_id).delete()[0]:
            raise ClientNotFound
        audit.record(audit.Event.CLIENT_DELETED, client=client, at=at, actor_id=actor_id, client_id=client_id)


def secrets_of(client: OAuthClient) -> QuerySet[ClientSecret]:
    """The secrets of a client, expired ones too."""
    return ClientSecret.objects.filter(client=client)


def _add_secret(client: OAuthClient, *, at: datetime) -> str:
    token = issuing.opaque_token()
    ClientSecret.objects.create(client=client, secret_hash=token.digest, created_at=at)
    return token.text


def authenticate(*, client_id: str, secret: str | None, basic: bool, client: Client, at: datetime) -> OAuthClient:
    """The client that a request to the token, introspection or revocation endpoint comes from.

    `secret` is None when the request has none, as of a public client. A client with a secret may send it in the header
    or in the body. Raises InvalidClient and TooManyRequests.
    """
    found = OAuthClient.objects.filter(client_id=client_id, is_active=True).first()
    if found is not None and found.is_public and secret is None:
        return found
    if found is not None and secret is not None and _has_secret(found, secret, at=at):
        return found
    rate_limits.take(FAILURES, key=client.network)
    audit.record(
        audit.Event.CLIENT_AUTHENTICATION, client=client, at=at, succeeded=False, client_id=found and found.client_id
    )
    raise InvalidClient(basic=basic)


def _has_secret(client: OAuthClient, secret: str, *, at: datetime) -> bool:
    valid = secrets_of(client).filter(Q(expires_at=None) | Q(expires_at__gt=at)).values_list("secret_hash", flat=True)
    digest = issuing.digest_of(secret)
    return any(hmac.compare_digest(bytes(each), digest) for each in valid)
