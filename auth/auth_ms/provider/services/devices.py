"""Device authorization: a device without a browser waits while its user decides elsewhere (RFC 8628)."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.crypto import salted_hmac

from auth_ms.keys.services import issuing
from auth_ms.provider import metadata, scopes
from auth_ms.provider.errors import InvalidGrant, NotForClient, OAuthError
from auth_ms.provider.models import UNASKED, AuthorizationRequest, DeviceAuthorization, Grant, OAuthClient
from auth_ms.provider.services import access_tokens, organizations
from chassis.http.client_address import Client
from chassis.security.rate_limits import services as rate_limits

LIFE = timedelta(minutes=10)
INTERVAL = timedelta(seconds=5)
SLOWER = 5  # seconds that each early poll adds to the interval (§3.5)
ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"  # no vowels, so no words, and nothing that looks like something else (§6.1)
LENGTH = 8
STARTS = rate_limits.Limit(name="device_authorization", times=60, seconds=600, is_shown=True)
GUESSES = rate_limits.Limit(name="device_user_code", times=30, seconds=600)


class WrongUserCode(Exception):
    """No device waits for this code, or not any more."""


def start(
    form: dict[str, str], resources: list[str], *, by: OAuthClient, client: Client, at: datetime
) -> dict[str, Any]:
    """The two codes of a device (§3.2). Raises OAuthError and TooManyRequests."""
    if metadata.DEVICE_CODE not in by.grant_types:
        raise OAuthError("unauthorized_client", "The client is not registered for this grant type.")
    granted = scopes.allowed(scopes.parse(form.get("scope", "")) or [], by_client=by.scopes)
    if not granted:
        raise OAuthError("invalid_scope", "The client may have none of these scopes.")
    audience = access_tokens.check_resources(resources, allowed=by.resources)
    rate_limits.take(STARTS, key=client.network)
    code, user_code = issuing.opaque_token(), "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    DeviceAuthorization.objects.create(
        device_code_hash=code.digest,
        user_code_hash=_hash_of(user_code),
        client=by,
        parameters={
            "scopes": granted,
            "resources": audience,
            organizations.PARAMETER: organizations.wanted(form, granted=granted),
        },
        interval_seconds=int(INTERVAL.total_seconds()),
        created_at=at,
        expires_at=at + LIFE,
    )
    page = f"{settings.PUBLIC_URL}/auth-ms/oauth/verify"
    return {
        "device_code": code.text,
        "user_code": shown(user_code),
        "verification_uri": page,
        "verification_uri_complete": f"{page}?user_code={shown(user_code)}",
        "expires_in": int(LIFE.total_seconds()),
        "interval": int(INTERVAL.total_seconds()),
    }


def _hash_of(user_code: str) -> bytes:
    return salted_hmac("provider.user_code", user_code, algorithm="sha256").digest()


def normalized(typed: str) -> str:
    """The letters of a code, however the user separated them."""
    return "".join(each for each in typed.upper() if each in ALPHABET)[:LENGTH]


def shown(user_code: str) -> str:
    """A code as devices and pages show it."""
    return f"{user_code[: LENGTH // 2]}-{user_code[LENGTH // 2 :]}"


def find(typed: str, *, client: Client, at: datetime) -> AuthorizationRequest:
    """The request of the device that shows this code, for the pages of sign-in and consent.

    Every attempt counts, so that nobody can try codes until one fits (§5.1). Raises WrongUserCode and TooManyRequests.
    """
    rate_limits.take(GUESSES, key=client.network)
    user_code = normalized(typed)
    waiting = DeviceAuthorization.objects.select_related("client").filter(
        user_code_hash=_hash_of(user_code), denied_at=None, expires_at__gt=at, client__is_active=True
    )
    found = waiting.first()
    if found is None or Grant.objects.filter(code_hash=bytes(found.device_code_hash)).exists():
        raise WrongUserCode
    parameters = (
        UNASKED
        | found.parameters
        | {
            "device": {"code_hash": bytes(found.device_code_hash).hex(), "expires_at": found.expires_at.isoformat()},
            "user_code": shown(user_code),
            "redirect_uri": "",
            "code_challenge": None,
            "nonce": None,
            "claims": {"userinfo": [], "id_token": []},
        }
    )
    return AuthorizationRequest(client=found.client, parameters=parameters, created_at=at)


def lock(parameters: dict[str, Any], *, at: datetime) -> DeviceAuthorization:
    """The device of a request, which waits for its user until the caller's transaction ends. Raises NotForClient."""
    code_hash = bytes.fromhex(parameters["device"]["code_hash"])
    waiting = DeviceAuthorization.objects.select_for_update().filter(device_code_hash=code_hash)
    found = waiting.filter(denied_at=None, expires_at__gt=at).first()
    if found is None or Grant.objects.filter(code_hash=code_hash).exists():
        raise NotForClient("expired")
    return found


def deny(parameters: dict[str, Any], *, at: datetime) -> None:
    """Let the device know that the user has refused. Raises NotForClient when it does not wait any more."""
    with transaction.atomic():
        device = lock(parameters, at=at)
        device.denied_at = at
        device.save(update_fields=["denied_at"])


def poll(device_code: str, *, by: OAuthClient, at: datetime) -> Grant:
    """What the user has granted to the device. Raises OAuthError with the codes of §3.5."""
    digest = hashlib.sha256(device_code.encode()).digest()
    with transaction.atomic():
        device = DeviceAuthorization.objects.select_for_update().filter(device_code_hash=digest, client=by).first()
        if device is None:
            raise InvalidGrant("The device code is not known.")
        if device.denied_at is not None:
            raise OAuthError("access_denied", "The user has refused.")
        if device.expires_at <= at:
            raise OAuthError("expired_token", "The device code has expired.")
        granted = Grant.objects.filter(code_hash=digest, client=by).first()
        if granted is not None:
            return granted
        is_early = device.polled_at is not None and at < device.polled_at + timedelta(seconds=device.interval_seconds)
        device.interval_seconds += SLOWER if is_early else 0
        device.polled_at = at
        device.save(update_fields=["interval_seconds", "polled_at"])
    if is_early:
        raise OAuthError("slow_down", f"Ask every {device.interval_seconds} seconds.")
    raise OAuthError("authorization_pending", "The user has not decided yet.")
