"""Passkeys (https://www.w3.org/TR/webauthn-3/), as a second step or instead of the password."""

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

from auth_ms.sign_in import audit, issuing, users_client
from auth_ms.sign_in.models import Passkey, PasskeyChallenge
from auth_ms.sign_in.services import second_factors
from chassis import db, pruning
from chassis.clients import Client
from chassis.errors import InvalidInput, Problem

CHALLENGE_LIFE = timedelta(minutes=5)
MAXIMUM_PASSKEYS = 20
# What the library raises for credentials that are not what they should be, and what Python does for stranger ones.
_NOT_A_CREDENTIAL = (exceptions.WebAuthnException, ValueError, TypeError, KeyError, IndexError, AttributeError)


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
    """What `navigator.credentials.create()` takes, as JSON. Raises UserGone and ServiceUnavailable."""
    user = users_client.find_credentials(user_id=user_id)
    if user is None:
        raise users_client.UserGone
    options = webauthn.generate_registration_options(
        rp_id=settings.WEBAUTHN_RP_ID,
        rp_name=settings.WEBAUTHN_RP_NAME,
        user_id=str(user_id).encode(),
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
    *, user_id: int, name: str, credential: dict[str, Any], client: Client, at: datetime
) -> tuple[Passkey, list[str]]:
    """Store the passkey that an authenticator has made. Returns recovery codes when it is the first second factor.

    Raises PasskeyRefused, PasskeyKnown and TooManyPasskeys.
    """
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
    with db.constraint("passkey_credential_unique", PasskeyKnown), transaction.atomic():
        passkey = Passkey.objects.create(
            user_id=user_id,
            credential_id=verified.credential_id,
            public_key=verified.credential_public_key,
            sign_count=verified.sign_count,
            name=name,
        )
        audit.record(audit.Event.PASSKEY_ADDED, client=client, at=at, user_id=user_id, passkey_id=passkey.id)
        return passkey, second_factors.issue_first_recovery_codes(user_id=user_id)


def remove(*, user_id: int, passkey_id: int, client: Client, at: datetime) -> None:
    """Forget a passkey of the user. Raises PasskeyNotFound."""
    with transaction.atomic():
        deleted, _ = Passkey.objects.filter(user_id=user_id, id=passkey_id).delete()
        if not deleted:
            raise PasskeyNotFound
        second_factors.forget_recovery_codes_without_factor(user_id=user_id)
        audit.record(audit.Event.PASSKEY_REMOVED, client=client, at=at, user_id=user_id, passkey_id=passkey_id)


def authentication_options(*, user_id: int | None, at: datetime) -> dict[str, Any]:
    """What `navigator.credentials.get()` takes, as JSON: for a known user its passkeys, else whichever is at hand."""
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
    passkey = _verify(credential, user_verified=False, at=at)
    return passkey is not None and passkey.user_id == user_id


def find(*, credential: Any, at: datetime) -> Passkey | None:
    """The passkey that has verified its user (PIN, finger, face) and signs a challenge of ours; None if it has not."""
    return _verify(credential, user_verified=True, at=at)


def _verify(credential: Any, *, user_verified: bool, at: datetime) -> Passkey | None:
    try:
        challenge = _spend_challenge(credential, registers_for=None, at=at)
        passkey = Passkey.objects.filter(credential_id=base64url_to_bytes(credential["rawId"])).first()
        if passkey is None:
            return None
        verified = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=settings.WEBAUTHN_RP_ID,
            expected_origin=settings.WEBAUTHN_ORIGINS,
            credential_public_key=bytes(passkey.public_key),
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=user_verified,
        )
    except _NOT_A_CREDENTIAL:
        return None
    passkey.sign_count, passkey.last_used_at = verified.new_sign_count, at
    passkey.save(update_fields=["sign_count", "last_used_at"])
    return passkey


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
