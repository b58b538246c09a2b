"""The one question to users-ms: whether a user is really gone, before what cannot be taken back."""

from functools import cache

import requests
from django.conf import settings

from chassis.http.errors import ServiceUnavailable
from chassis.http.service_client import ServiceClient
from notification_ms.deliveries.failures import TransientFailure


def is_deleted(user_id: int) -> bool:
    """True when users-ms has had this user, and has it no more. Raises TransientFailure when it cannot be asked."""
    try:
        answer = _users(settings.USERS_URL).call("GET", f"/users-ms/internal/deletions/{user_id}", token=None)
    except ServiceUnavailable as error:
        raise TransientFailure("users-ms does not answer") from error
    try:
        deleted = answer.json()["deleted"] if answer.status_code == 200 else None
    except (requests.RequestException, ValueError, KeyError, TypeError):
        deleted = None
    if not isinstance(deleted, bool):
        raise TransientFailure(f"users-ms does not answer as it should (HTTP {answer.status_code})")
    return deleted


@cache
def _users(url: str) -> ServiceClient:
    return ServiceClient("users-ms", url)
