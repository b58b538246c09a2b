"""The client of users-ms: confirms a deletion before the erasure, which cannot be undone."""

from functools import cache

import requests
from django.conf import settings

from chassis.http.errors import ServiceUnavailable
from chassis.http.service_client import ServiceClient
from notification_ms.deliveries.failures import TransientFailure


def is_deleted(user_id: int) -> bool:
    """True when users-ms has deleted this user. Raises TransientFailure when it does not answer."""
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
