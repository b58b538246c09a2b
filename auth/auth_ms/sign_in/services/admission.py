"""Whom this installation lets sign in, once they have proven who they are."""

from datetime import datetime

from django.conf import settings
from django.dispatch import Signal

from auth_ms import users_client
from auth_ms.audit import services as audit
from auth_ms.users_client import Credentials
from chassis.http.client_address import Client

# Arguments: `user`, their credentials, and `at`, the time. For the mail that verifies the address.
refused_unverified = Signal()


class VerifyEmailFirst(users_client.EmailNotVerified):
    detail = "Verify your email address before you sign in. The mail with the link has been sent to you."
    code = "email_verification_required"


def check(user: Credentials, *, client: Client, at: datetime) -> None:
    """Raises VerifyEmailFirst; the user, who has proven a first factor, is then sent the mail again.

    To be called outside of transactions, because the refusal stays in the audit log.
    """
    if settings.EMAIL_VERIFICATION_REQUIRED:
        check_verified(user, client=client, at=at)


def check_verified(user: Credentials, *, client: Client, at: datetime) -> None:
    """The same whatever the setting, for what needs a verified address. Raises VerifyEmailFirst."""
    if user.email_verified:
        return
    facts = {"user_id": user.id, "reason": "the address is not verified"}
    audit.record(audit.Event.LOGIN, client=client, at=at, succeeded=False, **facts)
    refused_unverified.send(VerifyEmailFirst, user=user, at=at)
    raise VerifyEmailFirst
