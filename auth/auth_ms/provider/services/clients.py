"""Registering clients, and giving them secrets."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from auth_ms import uris
from auth_ms.audit import services as audit
from auth_ms.keys.services import issuing, signing_keys
from auth_ms.provider import events, metadata, scopes
from auth_ms.provider.models import ClientSecret, OAuthClient
from auth_ms.provider.services import consents, own_resources
from chassis.http.client_address import Client
from chassis.http.errors import InvalidInput, Problem
from chassis.outbox import services as outbox


class ClientNotFound(Problem):
    status = 404
    title = "Client not found"


class ClientHasNoSecret(Problem):
    status = 409
    title = "Client has no secret"
    detail = "It authenticates with a key, or with PKCE alone."


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


def register(
    *, values: dict[str, Any], actor_id: int | None, client: Client | None, at: datetime, **facts: Any
) -> Registration:
    """Store a new client with a random id, and a random secret if it authenticates with one. Raises InvalidInput.

    `facts` are for the audit log.
    """
    new = OAuthClient(client_id=secrets.token_hex(16), subject_salt=secrets.token_bytes(32), created_at=at, **values)
    _check(new)
    if new.signing_algorithm == signing_keys.RS256:
        signing_keys.key_ring(signing_keys.RS256)  # published before the first token
    with transaction.atomic():
        new.save()
        secret = _add_secret(new, at=at) if new.has_secret else None
        facts |= {"name": new.name}
        _record("created", client_id=new.client_id, actor_id=actor_id, client=client, at=at, **facts)
    return Registration(client=new, secret=secret)


def change(
    *,
    client_id: str,
    values: dict[str, Any],
    actor_id: int | None,
    client: Client | None,
    at: datetime,
    registration_token_hash: bytes | None = None,
) -> OAuthClient:
    """Change a client; its secrets stay if it still uses them. Raises ClientNotFound and InvalidInput.

    `registration_token_hash` is that of a client that changes itself. Once an admin has changed a client, it no longer
    can: it would undo what the admin decided, or put its own redirect URIs behind what the admin allowed.
    """
    by_itself = {"registration_token_hash": registration_token_hash, "is_active": True}
    with transaction.atomic():
        known = OAuthClient.objects.filter(client_id=client_id, **(by_itself if registration_token_hash else {}))
        found = known.select_for_update().first()
        if found is None:
            raise ClientNotFound
        found.registration_token_hash = registration_token_hash
        changed = sorted(name for name, value in values.items() if value != getattr(found, name))
        more_claims = not set(values.get("claims", {}).items()) <= set(found.claims.items())
        for name, value in values.items():
            setattr(found, name, value)
        _check(found)
        if found.has_secret and not secrets_of(found).exists():
            reason = "A client without a secret cannot be given one; register another."
            raise InvalidInput(errors={"token_endpoint_auth_method": [reason]})
        if found.signing_algorithm == signing_keys.RS256:
            signing_keys.key_ring(signing_keys.RS256)
        found.save()
        if more_claims:
            consents.forget(scopes.ATTRIBUTES, oauth_client=found)
        if not found.has_secret:
            secrets_of(found).delete()
        _record("changed", client_id=client_id, actor_id=actor_id, client=client, at=at, changed=changed)
    return found


def _check(client: OAuthClient) -> None:
    """Rules over several members. Raises InvalidInput."""
    errors = {}
    if "authorization_code" in client.grant_types and not client.redirect_uris:
        errors["redirect_uris"] = ["The grant type authorization_code needs at least one."]
    if "client_credentials" in client.grant_types and client.is_public:
        errors["grant_types"] = ["A public client cannot have client_credentials."]
    if "refresh_token" in client.grant_types and not {"authorization_code", metadata.DEVICE_CODE} & set(
        client.grant_types
    ):
        errors["grant_types"] = ["refresh_token needs authorization_code or device_code."]
    if client.is_public and not client.require_pkce:
        errors["require_pkce"] = ["A public client needs PKCE."]
    origins = {uris.origin_of(uri) for uri in client.redirect_uris}
    if client.frontchannel_logout_uri and uris.origin_of(client.frontchannel_logout_uri) not in origins:
        errors["frontchannel_logout_uri"] = ["Must have the scheme, host and port of a redirect URI."]
    if reason := own_resources.reason_against(client):
        errors["resources"] = [reason]
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
        if not found.has_secret:
            raise ClientHasNoSecret
        secrets_of(found).filter(expires_at__lte=at).delete()
        secrets_of(found).filter(Q(expires_at=None) | Q(expires_at__gt=at + overlap)).update(expires_at=at + overlap)
        secret = _add_secret(found, at=at)
        _record("secret_rotated", client_id=client_id, actor_id=actor_id, client=client, at=at)
    return Registration(client=found, secret=secret)


def delete(*, client_id: str, actor_id: int | None, client: Client | None, at: datetime) -> None:
    """Delete a client, and with it its grants, tokens and consents. Raises ClientNotFound."""
    with transaction.atomic():
        if not OAuthClient.objects.filter(client_id=client_id).delete()[0]:
            raise ClientNotFound
        _record("deleted", client_id=client_id, actor_id=actor_id, client=client, at=at)


def _record(
    change: str, *, client_id: str, actor_id: int | None, client: Client | None, at: datetime, **facts: Any
) -> None:
    """Write a change to the audit log, with its `facts`, and publish it."""
    written = audit.Event(f"client_{change}")
    audit.record(written, client=client, at=at, actor_id=actor_id, client_id=client_id, **facts)
    actor = "client" if actor_id is None else "admin"
    told = events.ClientChanged(client_id=client_id, change=change, changed=facts.get("changed", []), actor=actor)
    outbox.record(told, at=at)


def secrets_of(client: OAuthClient) -> QuerySet[ClientSecret]:
    """The secrets of a client, expired ones too."""
    return ClientSecret.objects.filter(client=client)


def _add_secret(client: OAuthClient, *, at: datetime) -> str:
    token = issuing.opaque_token()
    ClientSecret.objects.create(client=client, secret_hash=token.digest, created_at=at)
    return token.text
