"""Notifying a user of changed sign-in methods: an event in the transaction of the change."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from auth_ms.factors import events
from chassis.http.client_address import Client
from chassis.outbox import services as outbox


class Change(StrEnum):
    """What the user is notified of."""

    TOTP_ENABLED = "totp_enabled"
    TOTP_DISABLED = "totp_disabled"
    PASSKEY_ADDED = "passkey_added"
    PASSKEY_REMOVED = "passkey_removed"
    RECOVERY_CODES_RENEWED = "recovery_codes_renewed"
    SECOND_FACTORS_REMOVED = "second_factors_removed"
    SECOND_FACTOR_FAILURES = "second_factor_failures"
    APPLICATION_ALLOWED = "application_allowed"
    IDENTITY_LINKED = "identity_linked"
    IDENTITY_UNLINKED = "identity_unlinked"
    PERSONAL_TOKEN_CREATED = "personal_token_created"  # noqa: S105
    PERSONAL_TOKEN_REVOKED = "personal_token_revoked"  # noqa: S105
    IMPERSONATION_STARTED = "impersonation_started"
    APPLICATION_DISCONNECTED = "application_disconnected"


def record(change: Change, *, contact: dict[str, Any], client: Client | None, at: datetime) -> None:
    """Publish a change of sign-in methods in the caller's transaction; `contact` is `Credentials.contact`."""
    outbox.record(
        events.SignInChanged(
            **contact,
            change=change,
            changed_at=at.isoformat(),
            address=client.address if client else None,
            user_agent=client.user_agent if client else "",
        ),
        at=at,
    )
