"""Who may create an account: settings.SIGN_UP, asked for every account that nobody with rights creates."""

from django.conf import settings

from chassis.http import email_addresses
from users_ms.accounts.problems import DomainNotAllowed, SignUpNotAllowed


def check(*, email: str) -> None:
    """Raises SignUpNotAllowed and DomainNotAllowed.

    Decided by the setting and the given address alone, before any account is looked at, so that the answer is the same
    whether or not the address has one.
    """
    if settings.SIGN_UP == "off":
        raise SignUpNotAllowed
    if settings.SIGN_UP == "domain" and _domain(email) not in settings.SIGN_UP_DOMAINS:
        raise DomainNotAllowed


def _domain(email: str) -> str:
    return email_addresses.canonical(email).rpartition("@")[2]
