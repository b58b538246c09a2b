"""Registering providers."""

from datetime import datetime
from typing import Any

from django.db import transaction

from auth_ms.audit import services as audit
from auth_ms.external.models import ExternalIdentity, ExternalProvider, ExternalSignIn
from auth_ms.external.problems import ProviderExists, ProviderInUse, ProviderNotFound
from auth_ms.external.services import flows
from auth_ms.factors.models import PendingLogin
from auth_ms.keys.services import vault
from chassis.database import constraints
from chassis.http.client_address import Client

FEDERATED = "fed"  # `amr` of a sign-in with another provider; RFC 8176 has none, and Microsoft Entra ID writes this one


def find(*, slug: str, enabled: bool = False) -> ExternalProvider:
    """The provider with this slug, or only if it is `enabled`. Raises ProviderNotFound."""
    found = ExternalProvider.objects.filter(slug=slug, **({"enabled": True} if enabled else {})).first()
    if found is None:
        raise ProviderNotFound
    return found


def create(*, values: dict[str, Any], actor_id: int, client: Client, at: datetime) -> ExternalProvider:
    """Store a provider that can work: of one with a discovery document, that is read.

    Raises InvalidInput and ProviderExists.
    """
    new = ExternalProvider(created_at=at)
    _set(new, values)
    with (
        constraints.constraint("external_provider_slug_unique", ProviderExists),
        constraints.constraint("external_provider_issuer_unique", ProviderExists),
        transaction.atomic(),
    ):
        new.save()
        _record("created", new, actor_id=actor_id, client=client, at=at)
    return new


def change(*, slug: str, values: dict[str, Any], actor_id: int, client: Client, at: datetime) -> ExternalProvider:
    """Change a provider; without `client_secret`, that stays. Raises ProviderNotFound and InvalidInput.

    Disabling it ends sign-ins that are under way.
    """
    with transaction.atomic():
        found = _lock(slug)
        before = {name: getattr(found, name, None) for name in values}
        _set(found, values)
        changed = sorted(name for name in values if name == "client_secret" or getattr(found, name) != before[name])
        found.save()
        if not found.enabled:
            ExternalSignIn.objects.filter(provider=found).delete()
            PendingLogin.objects.filter(methods__contains=[FEDERATED]).delete()
        _record("changed", found, actor_id=actor_id, client=client, at=at, changed=changed)
    return found


def delete(*, slug: str, actor_id: int, client: Client, at: datetime) -> None:
    """Delete a provider that no user has an identity of. Raises ProviderNotFound and ProviderInUse."""
    with transaction.atomic():
        found = _lock(slug)  # which whoever links an identity waits for
        if ExternalIdentity.objects.filter(provider=found).exists():
            raise ProviderInUse
        _record("deleted", found, actor_id=actor_id, client=client, at=at)
        found.delete()


def _lock(slug: str) -> ExternalProvider:
    found = ExternalProvider.objects.select_for_update().filter(slug=slug).first()
    if found is None:
        raise ProviderNotFound
    return found


def _set(provider: ExternalProvider, values: dict[str, Any]) -> None:
    """Change what `values` has, once it was checked together. Raises InvalidInput."""
    secret = values.get("client_secret")
    for name, value in values.items():
        if name != "client_secret":
            setattr(provider, name, value)
    flow = flows.flow_of(provider)
    provider.scopes = provider.scopes or flow.scopes
    flow.check(secret=secret)
    if secret is not None:
        provider.client_secret_encrypted = vault.encrypt(secret.encode())


def _record(
    change: str, provider: ExternalProvider, *, actor_id: int, client: Client, at: datetime, **facts: Any
) -> None:
    event = audit.Event(f"external_provider_{change}")
    audit.record(event, client=client, at=at, actor_id=actor_id, provider=provider.slug, **facts)
