"""Passkeys (https://www.w3.org/TR/webauthn-3/), as a second step or instead of the password."""

import hashlib
import json
import secrets
from datetime import datetime, timedelta
from typing import Any

import webauthn
from django.conf import settings
from django.db import transaction
from webauthn.helpers import base64url_to_bytes, exceptions, parse_client_data_json
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from auth_ms import users_client
from auth_ms.audit import services as audit
from auth_ms.factors import notices, second_factors
from auth_ms.factors.notices import Change
from auth_ms.keys import issuing
from auth_ms.models import Passkey, PasskeyChallenge
from chassis.database import constraints
from chassis.http.client_address import Client
from chassis.http.errors import InvalidInput, Problem
from chassis.operations import pruning
from chassis.security.rate_limits import services as rate_limits

CHALLENGE_LIFE = timedelta(minutes=5)
MAXIMUM_PASSKEYS = 20
# What the library raises for credentials that are not what they should be, and what Python does for stranger ones, such
# as JSON or CBOR of a thousand levels.
_NOT_A_CREDENTIAL = (
    exceptions.WebAuthnException,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    RecursionError,
)


class PasskeyRefused(InvalidInput):
    def __init__(self, reason: str) -> None:
        super().__init__(errors={"credential": [reason]})


class PasskeyKnown(Problem):
    status = 409
    title = "Passkey known already"


class TooManyPasskeys(Problem):
    status = 409
    title = "Too many passkeys"
    detail = f"An account has at most {MAXIMUM_PASSKEYS}. Remove one first."


class PasskeyNotFound(Problem):
    status = 404
    title = "Passkey not found"


def registration_options(*, user_id: int, at: datetime) -> dict[str, Any]:
    """What `navigator.credentials.create()` takes, as JSON.

    Raises TooManyRequests, EmailNotVerified, UserGone and ServiceUnavailable.
    """
    _limit_challenges(f"new {user_id}")
    user = users_client.find_verified(user_id=user_id)
    options = webauthn.generate_registration_options(
        rp_id=settings.WEBAUTHN_RP_ID,
        rp_name=settings.WEBAUTHN_RP_NAME,
        user_id=_user_handle(user_id),
        user_name=user.email,
        user_display_name=f"{user.name} {user.surname}",
        challenge=_challenge(registers_for=user_id, at=at),
        exclude_credentials=_descriptors(user_id),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.PREFERRED
        ),
    )
    return dict(json.loads(webauthn.options_to_json(options)))


def register(
    *, user_id: int, session_id: int, name: str, credential: dict[str, Any], client: Client, at: datetime
) -> tuple[Passkey, list[str]]:
    """Store the passkey that an authenticator has made. Returns recovery codes when it is the first second factor.

    Raises PasskeyRefused, PasskeyKnown, TooManyPasskeys, EmailNotVerified, AuthenticationFailed, UserGone and
    ServiceUnavailable.
    """
    user = users_client.find_verified(user_id=user_id)
    try:
        verified = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=_spend_challenge(credential, registers_for=user_id, at=at),
            expected_rp_id=settings.WEBAUTHN_RP_ID,
            expected_origin=settings.WEBAUTHN_ORIGINS,
        )
    except _NOT_A_CREDENTIAL as error:
        raise PasskeyRefused(str(error) or "This is no credential.") from error
    if Passkey.objects.filter(user_id=user_id).count() >= MAXIMUM_PASSKEYS:
        raise TooManyPasskeys
    with constraints.constraint("passkey_credential_unique", PasskeyKnown), transaction.atomic():
        second_factors.hold_session(session_id=session_id)
        passkey = Passkey.objects.create(
            user_id=user_id,
            credential_id=verified.credential_id,
            public_key=verified.credential_public_key,
            sign_count=verified.sign_count,
            name=name,
        )
        audit.record(audit.Event.PASSKEY_ADDED, client=client, at=at, user_id=user_id, passkey_id=passkey.id)
        notices.record(Change.PASSKEY_ADDED, contact=user.contact, client=client, at=at)
        return passkey, second_factors.issue_first_recovery_codes(user_id=user_id)


def remove(*, user_id: int, passkey_id: int, client: Client, at: datetime) -> None:
    """Forget a passkey of the user. Raises PasskeyNotFound, UserGone and ServiceUnavailable."""
    user = users_client.find_user(user_id=user_id)
    with transaction.atomic():
        deleted, _ = Passkey.objects.filter(user_id=user_id, id=passkey_id).delete()
        if not deleted:
            raise PasskeyNotFound
        second_factors.forget_recovery_codes_without_factor(user_id=user_id)
        audit.record(audit.Event.PASSKEY_REMOVED, client=client, at=at, user_id=user_id, passkey_id=passkey_id)
        notices.record(Change.PASSKEY_REMOVED, contact=user.contact, client=client, at=at)


def authentication_options(*, user_id: int | None, client: Client, at: datetime) -> dict[str, Any]:
    """What `navigator.credentials.get()` takes, as JSON: for a known user its passkeys, else whichever is at hand.

    Raises TooManyRequests: by client, and for a known user, who has shown the password, apart from others of that
    address.
    """
    _limit_challenges(f"{user_id} {client.network}" if user_id else client.network)
    preferred, required = UserVerificationRequirement.PREFERRED, UserVerificationRequirement.REQUIRED
    options = webauthn.generate_authentication_options(
        rp_id=settings.WEBAUTHN_RP_ID,
        challenge=_challenge(registers_for=None, at=at),
        allow_credentials=_descriptors(user_id) if user_id else None,
        user_verification=preferred if user_id else required,
    )
    return dict(json.loads(webauthn.options_to_json(options)))


def matches(*, user_id: int, credential: Any, at: datetime) -> bool:
    """True when the credential is a passkey of the user and signs a challenge of ours: the second step."""
    return _verify(credential, user_id=user_id, at=at) is not None


def find(*, credential: Any, at: datetime) -> Passkey | None:
    """The passkey that has verified its user (PIN, finger, face) and signs a challenge of ours; None if it has not."""
    return _verify(credential, user_id=None, at=at)


def is_kept(passkey: Passkey) -> bool:
    """True when the passkey is still there; it then stays until the end of the caller's transaction."""
    return Passkey.objects.select_for_update(no_key=True).filter(id=passkey.id).first() is not None


def fingerprint_of(credential: Any) -> str:
    """What stands for the passkey that the credential says it is, whether or not there is one."""
    try:
        return hashlib.sha256(base64url_to_bytes(credential["rawId"])).hexdigest()
    except _NOT_A_CREDENTIAL:
        return "none"


def _verify(credential: Any, *, user_id: int | None, at: datetime) -> Passkey | None:
    """The passkey; of `user_id` when the user is known already, else one that has verified its user itself.

    The authenticator says whose it is (§7.2, step 6 of the specification): that has to be the passkey's user.
    """
    try:
        challenge = _spend_challenge(credential, registers_for=None, at=at)
        passkey = Passkey.objects.filter(credential_id=base64url_to_bytes(credential["rawId"])).first()
        if passkey is None or user_id not in (None, passkey.user_id):
            return None
        handle = credential["response"].get("userHandle")
        is_named = handle is not None and base64url_to_bytes(handle) == _user_handle(passkey.user_id)
        if not is_named and (handle is not None or user_id is None):
            return None
        verified = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=settings.WEBAUTHN_RP_ID,
            expected_origin=settings.WEBAUTHN_ORIGINS,
            credential_public_key=bytes(passkey.public_key),
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=user_id is None,
        )
    except _NOT_A_CREDENTIAL:
        return None
    passkey.sign_count, passkey.last_used_at = verified.new_sign_count, at
    passkey.save(update_fields=["sign_count", "last_used_at"])
    return passkey


def _user_handle(user_id: int) -> bytes:
    return str(user_id).encode()


def _limit_challenges(key: str) -> None:
    """Each is a row until it is signed or has expired. Raises TooManyRequests."""
    times = settings.PASSKEY_CHALLENGES_PER_10_MINUTES
    rate_limits.take(rate_limits.Limit(name="passkey_challenge", times=times, seconds=600), key=key)


def _challenge(*, registers_for: int | None, at: datetime) -> bytes:
    challenge = secrets.token_bytes(32)
    PasskeyChallenge.objects.create(
        challenge_hash=_hash(challenge), registers_for=registers_for, expires_at=at + CHALLENGE_LIFE
    )
    return challenge


def _spend_challenge(credential: Any, *, registers_for: int | None, at: datetime) -> bytes:
    """The challenge that the credential signs; it counts once. Raises PasskeyRefused when it is none of ours."""
    client_data = parse_client_data_json(base64url_to_bytes(credential["response"]["clientDataJSON"]))
    ours = PasskeyChallenge.objects.filter(
        challenge_hash=_hash(client_data.challenge), registers_for=registers_for, expires_at__gt=at
    )
    if not ours.delete()[0]:
        raise ValueError("The challenge is not one of ours, or not any more.")
    return client_data.challenge


def _hash(challenge: bytes) -> bytes:
    return issuing.digest_of(challenge.hex())


def _descriptors(user_id: int) -> list[PublicKeyCredentialDescriptor]:
    stored = Passkey.objects.filter(user_id=user_id).values_list("credential_id", flat=True)
    return [PublicKeyCredentialDescriptor(id=bytes(credential_id)) for credential_id in stored]


def prune(*, at: datetime) -> None:
    """Forget challenges that nobody has signed."""
    pruning.delete(PasskeyChallenge.objects.filter(expires_at__lt=at))
