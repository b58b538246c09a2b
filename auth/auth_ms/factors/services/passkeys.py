"""Passkeys (https://www.w3.org/TR/webauthn-3/), as a second factor or instead of the password."""

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
from webauthn.registration.verify_registration_response import VerifiedRegistration

from auth_ms import users_client
from auth_ms.audit import services as audit
from auth_ms.factors.models import Passkey, PasskeyChallenge
from auth_ms.factors.services import notices, offer, recovery_codes, requirement
from auth_ms.factors.services.notices import Change
from auth_ms.keys.services import issuing
from auth_ms.sessions import services as sessions
from auth_ms.users_client import Credentials
from chassis.database import constraints
from chassis.http.client_address import Client
from chassis.http.errors import InvalidInput, Problem
from chassis.operations import pruning
from chassis.security.rate_limits import services as rate_limits

CHALLENGE_LIFE = timedelta(minutes=5)
MAXIMUM_PASSKEYS = 20
# Raised by the library for invalid credentials, and by Python for malformed ones, such as deeply nested JSON or CBOR.
_NOT_A_CREDENTIAL = (
    exceptions.WebAuthnException,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    RecursionError,
)


class PasskeyRejected(InvalidInput):
    def __init__(self, reason: str) -> None:
        super().__init__(errors={"credential": [reason]})


class PasskeyAlreadyRegistered(Problem):
    status = 409
    title = "Passkey already registered"


class TooManyPasskeys(Problem):
    status = 409
    title = "Too many passkeys"
    detail = f"An account has at most {MAXIMUM_PASSKEYS} passkeys. Remove one first."


class PasskeyNotFound(Problem):
    status = 404
    title = "Passkey not found"


def registration_options(*, user_id: int, at: datetime) -> dict[str, Any]:
    """The options for `navigator.credentials.create()`, as JSON.

    Raises FactorNotOffered, TooManyRequests, EmailNotVerified, UserNotFound and ServiceUnavailable.
    """
    offer.check(offer.PASSKEYS)
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
    """Store a new passkey. Returns recovery codes when it is the first second factor.

    Raises FactorNotOffered, PasskeyRejected, PasskeyAlreadyRegistered, TooManyPasskeys, EmailNotVerified,
    AuthenticationFailed, UserNotFound and ServiceUnavailable.
    """
    offer.check(offer.PASSKEYS)
    user = users_client.find_verified(user_id=user_id)
    verified = verify_registration(user_id=user_id, credential=credential, at=at)
    with transaction.atomic():
        sessions.lock_live_session(session_id=session_id)
        return store(user=user, verified=verified, name=name, client=client, at=at)


def verify_registration(*, user_id: int, credential: Any, at: datetime) -> VerifiedRegistration:
    """What the browser has created, for a challenge of this user. Raises PasskeyRejected and TooManyPasskeys."""
    try:
        verified = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=_spend_challenge(credential, registers_for=user_id, at=at),
            expected_rp_id=settings.WEBAUTHN_RP_ID,
            expected_origin=settings.WEBAUTHN_ORIGINS,
        )
    except _NOT_A_CREDENTIAL as error:
        raise PasskeyRejected(str(error) or "This is not a valid credential.") from error
    if Passkey.objects.filter(user_id=user_id).count() >= MAXIMUM_PASSKEYS:
        raise TooManyPasskeys
    return verified


def store(
    *, user: Credentials, verified: VerifiedRegistration, name: str, client: Client, at: datetime
) -> tuple[Passkey, list[str]]:
    """Store a verified passkey, in the transaction of a caller who may. Raises PasskeyAlreadyRegistered."""
    with constraints.constraint("passkey_credential_unique", PasskeyAlreadyRegistered), transaction.atomic():
        passkey = Passkey.objects.create(
            user_id=user.id,
            credential_id=verified.credential_id,
            public_key=verified.credential_public_key,
            sign_count=verified.sign_count,
            name=name,
        )
    audit.record(audit.Event.PASSKEY_ADDED, client=client, at=at, user_id=user.id, passkey_id=passkey.id)
    notices.record(Change.PASSKEY_ADDED, contact=user.contact, client=client, at=at)
    return passkey, recovery_codes.issue_first(user_id=user.id)


def remove(*, user_id: int, passkey_id: int, client: Client, at: datetime) -> None:
    """Delete a passkey of the user. Raises PasskeyNotFound, LastSecondFactor, UserNotFound and ServiceUnavailable."""
    user = users_client.find_user(user_id=user_id)
    with transaction.atomic():
        requirement.lock_factors(user_id=user_id)
        deleted, _ = Passkey.objects.filter(user_id=user_id, id=passkey_id).delete()
        if not deleted:
            raise PasskeyNotFound
        requirement.check_one_is_left(user_id=user_id)
        recovery_codes.delete_without_factor(user_id=user_id)
        audit.record(audit.Event.PASSKEY_REMOVED, client=client, at=at, user_id=user_id, passkey_id=passkey_id)
        notices.record(Change.PASSKEY_REMOVED, contact=user.contact, client=client, at=at)


def authentication_options(*, user_id: int | None, client: Client, at: datetime, ceremony: str = "") -> dict[str, Any]:
    """The options for `navigator.credentials.get()`, as JSON: for a known user its passkeys, otherwise any passkey.

    `ceremony` names what the challenge is made for, such as one page in one browser; it is accepted there only. Raises
    TooManyRequests. A known user has already given the password and is limited separately from others at the same
    client address.
    """
    _limit_challenges(f"{user_id} {client.network}" if user_id else client.network)
    preferred, required = UserVerificationRequirement.PREFERRED, UserVerificationRequirement.REQUIRED
    options = webauthn.generate_authentication_options(
        rp_id=settings.WEBAUTHN_RP_ID,
        challenge=_challenge(registers_for=None, at=at, ceremony=ceremony),
        allow_credentials=_descriptors(user_id) if user_id else None,
        user_verification=preferred if user_id else required,
    )
    return dict(json.loads(webauthn.options_to_json(options)))


def matches(*, user_id: int, credential: Any, at: datetime, ceremony: str = "") -> bool:
    """True when the credential is a passkey of the user with a valid signature: the second factor."""
    return _verify(credential, user_id=user_id, at=at, ceremony=ceremony) is not None


def find(*, credential: Any, at: datetime, ceremony: str = "") -> Passkey | None:
    """The passkey with a valid signature that has verified its user (PIN, fingerprint, face), or None."""
    return _verify(credential, user_id=None, at=at, ceremony=ceremony)


def lock_if_present(passkey: Passkey) -> bool:
    """True when the passkey still exists; it is then locked until the caller's transaction ends."""
    return Passkey.objects.select_for_update(no_key=True).filter(id=passkey.id).first() is not None


def fingerprint_of(credential: Any) -> str:
    """A fingerprint of the passkey that the credential names, whether or not it exists."""
    try:
        return hashlib.sha256(base64url_to_bytes(credential["rawId"])).hexdigest()
    except _NOT_A_CREDENTIAL:
        return "none"


def _verify(credential: Any, *, user_id: int | None, at: datetime, ceremony: str) -> Passkey | None:
    """The passkey of `user_id`, or, when the user is unknown, any passkey that has verified its user itself.

    A user handle must match the owner of the passkey (specification, §7.2, step 6).
    """
    try:
        challenge = _spend_challenge(credential, registers_for=None, at=at, ceremony=ceremony)
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
    """Each challenge is a row until it is signed or expires. Raises TooManyRequests."""
    times = settings.PASSKEY_CHALLENGES_PER_10_MINUTES
    rate_limits.take(rate_limits.Limit(name="passkey_challenge", times=times, seconds=600), key=key)


def _challenge(*, registers_for: int | None, at: datetime, ceremony: str = "") -> bytes:
    challenge = secrets.token_bytes(32)
    PasskeyChallenge.objects.create(
        challenge_hash=_hash(challenge, ceremony), registers_for=registers_for, expires_at=at + CHALLENGE_LIFE
    )
    return challenge


def _spend_challenge(credential: Any, *, registers_for: int | None, at: datetime, ceremony: str = "") -> bytes:
    """The challenge that the credential signs; it works once. Raises ValueError when it is unknown."""
    client_data = parse_client_data_json(base64url_to_bytes(credential["response"]["clientDataJSON"]))
    ours = PasskeyChallenge.objects.filter(
        challenge_hash=_hash(client_data.challenge, ceremony), registers_for=registers_for, expires_at__gt=at
    )
    if not ours.delete()[0]:
        raise ValueError("The challenge is unknown or has expired.")
    return client_data.challenge


def _hash(challenge: bytes, ceremony: str) -> bytes:
    return issuing.digest_of(f"{challenge.hex()} {ceremony}".rstrip())


def _descriptors(user_id: int) -> list[PublicKeyCredentialDescriptor]:
    stored = Passkey.objects.filter(user_id=user_id).values_list("credential_id", flat=True)
    return [PublicKeyCredentialDescriptor(id=bytes(credential_id)) for credential_id in stored]


def prune(*, at: datetime) -> None:
    """Delete expired challenges."""
    pruning.delete(PasskeyChallenge.objects.filter(expires_at__lt=at))
