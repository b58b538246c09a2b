"""Which second factors a user has."""

from dataclasses import dataclass

from django.conf import settings

from auth_ms.factors.models import TOTP, Passkey, RecoveryCode


@dataclass(frozen=True, kw_only=True)
class Status:
    """The second factors of a user."""

    totp: bool
    passkeys: int
    recovery_codes: int

    @property
    def offered(self) -> list[str]:
        """What users may add in this installation."""
        return sorted(settings.FACTORS)

    @property
    def has_factor(self) -> bool:
        """Recovery codes do not count: they only replace a factor that was lost."""
        return self.totp or self.passkeys > 0


def status_of(*, user_id: int) -> Status:
    """Which factors the user has enrolled, and how many recovery codes are left."""
    return Status(
        totp=TOTP.objects.filter(user_id=user_id, confirmed_at__isnull=False).exists(),
        passkeys=Passkey.objects.filter(user_id=user_id).count(),
        recovery_codes=RecoveryCode.objects.filter(user_id=user_id).count(),
    )
