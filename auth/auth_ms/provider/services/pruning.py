"""Deleting what has expired."""

from datetime import datetime, timedelta

from auth_ms.provider.models import (
    AuthorizationRequest,
    ClientSecret,
    DeviceAuthorization,
    GrantRefreshToken,
    RevokedAccessToken,
    UsedJWT,
)
from auth_ms.provider.services import back_channel
from chassis.operations import pruning

EXPIRED_SECRETS_KEPT = timedelta(days=1)
EXPIRED_DEVICES_KEPT = timedelta(hours=1)  # so that a device is told `expired_token`


def prune(*, at: datetime) -> None:
    """Delete expired requests, refresh tokens, secrets, JWTs, and revocations of expired tokens.

    End grants whose session has expired; they and browser sessions are deleted with their sessions.
    """
    back_channel.end_expired(at=at)
    back_channel.prune(at=at)
    pruning.delete(AuthorizationRequest.objects.filter(expires_at__lt=at))
    pruning.delete(GrantRefreshToken.objects.filter(expires_at__lt=at))
    pruning.delete(RevokedAccessToken.objects.filter(expires_at__lt=at))
    pruning.delete(UsedJWT.objects.filter(expires_at__lt=at))
    pruning.delete(DeviceAuthorization.objects.filter(expires_at__lt=at - EXPIRED_DEVICES_KEPT))
    pruning.delete(ClientSecret.objects.filter(expires_at__lt=at - EXPIRED_SECRETS_KEPT))
