"""Which factors this installation lets users add (settings.FACTORS). Those that they have go on working."""

from django.conf import settings

from auth_ms.factors.problems import FactorNotOffered

TOTP, PASSKEYS, RECOVERY_CODES = "totp", "passkeys", "recovery_codes"


def includes(factor: str) -> bool:
    """Whether users may add this kind of factor."""
    return factor in settings.FACTORS


def check(factor: str) -> None:
    """Raises FactorNotOffered."""
    if not includes(factor):
        raise FactorNotOffered
