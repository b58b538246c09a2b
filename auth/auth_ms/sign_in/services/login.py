"""Logins: by password, by password and second factor, or by a passkey alone."""

import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn

from django.db import transaction
from django.db.models import F
from rest_framework.exceptions import ValidationError

from auth_ms import users_client
from auth_ms.audit import services as audit
from auth_ms.factors.models import PendingLogin
from auth_ms.factors.problems import SecondFactorBlocked
from auth_ms.factors.services import failures, passkeys, second_factors
from auth_ms.keys.services import issuing
from auth_ms.sessions import services as sessions
from auth_ms.sessions.services import TokenPair
from auth_ms.sign_in.services import admission, enrolment, lockout, password_hashes
from auth_ms.sign_in.services.enrolment import EnrolmentRequired
from auth_ms.users_client import Credentials
from chassis.http.client_address import Client
from chassis.http.errors import Problem, ServiceUnavailable
from chassis.operations import pruning
from chassis.security import password_concurrency
from chassis.security.rate_limits import services as rate_limits

PENDING_LIFE = timedelta(minutes=5)
PENDING_ATTEMPTS = 5
# One-time passwords are limited per account over all logins: whoever tries them knows the password, so a stranger
# cannot use up the limit. Passkeys and recovery codes cannot be guessed; they are limited per client, so that a thief
# of the password does not lock the owner out.
SECOND_FACTOR_LIMIT = rate_limits.Limit(name="second_factor", times=20, seconds=3600)
_AMR = {"totp": "otp", "recovery_code": "otp", "passkey": "hwk"}  # RFC 8176


class WrongCredentials(Problem):
    status = 401
    title = "Wrong credentials"
    detail = "The username or the password is wrong."

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="tessera"'})


@dataclass(frozen=True, kw_only=True)
class SecondFactorRequired:
    """The first factor was right; `mfa_token` and one of `methods` complete the login within `expires_in` seconds."""

    mfa_required: bool
    mfa_token: str
    methods: list[str]
    expires_in: int


Pending = SecondFactorRequired | EnrolmentRequired


def log_in(*, username: str, password: str, client: Client, at: datetime) -> TokenPair | Pending:
    """Open a session and publish the login, or ask for the second factor when the user has one.

    Where a second factor is required, a user without one is asked to add one. Raises WrongCredentials, TooManyFailures,
    VerifyEmailFirst, SecondFactorBlocked, TooManyRequests, and ServiceUnavailable when users-ms does not answer or too
    many passwords are being compared.
    """
    password_concurrency.passwords.check()
    try:
        lockout.check(username=username, client=client, at=at)
    except lockout.TooManyFailures:
        audit.record(audit.Event.LOGIN_LOCKED, client=client, at=at, succeeded=False, username=username)
        raise
    user = users_client.find_credentials(email=username)
    right = password_hashes.matches(password=password, password_hash=user.password_hash if user else None)
    if user is None or not right or not user.is_active:
        _reject(username, user, client=client, at=at)
    lockout.check(username=username, client=client, at=at)  # parallel guesses: a right one must not stand out
    if password_hashes.is_outdated(user.password_hash):
        _renew_hash(user, password)
    admission.check(user, client=client, at=at)
    pending = begin_second_factor(user, proven=["pwd"], client=client, at=at)
    if pending is not None:
        return pending
    lockout.reset_failures(username=username, client=client)
    return sessions.open_session(user=user, methods=["pwd"], client=client, at=at)


def begin_second_factor(user: Credentials, *, proven: list[str], client: Client, at: datetime) -> Pending | None:
    """Ask for the second factor of a user who has proven the methods `proven`, or to add one where that is required.

    None when the user has none and needs none. Raises SecondFactorBlocked, VerifyEmailFirst and TooManyRequests.
    """
    try:
        methods = second_factors.methods_of(user_id=user.id)
    except SecondFactorBlocked:
        audit.record(audit.Event.SECOND_FACTOR, client=client, at=at, succeeded=False, user_id=user.id, blocked=True)
        raise
    if not methods:
        return enrolment.begin(user, proven=proven, client=client, at=at)
    return _await_second_factor(user, methods, proven=proven, at=at)


def _reject(username: str, user: Credentials | None, *, client: Client, at: datetime) -> NoReturn:
    """Raises WrongCredentials or TooManyFailures, after the same work for every reason."""
    user_id = user.id if user else None
    audit.record(audit.Event.LOGIN, client=client, at=at, succeeded=False, username=username, user_id=user_id)
    lockout.count_failure(username=username, client=client, at=at)
    raise WrongCredentials


def _renew_hash(user: Credentials, password: str) -> None:
    with contextlib.suppress(ServiceUnavailable):  # the next login tries again
        users_client.renew_password_hash(user_id=user.id, password=password, replaces=user.password_hash)


def _await_second_factor(
    user: Credentials, methods: list[str], *, proven: list[str], at: datetime
) -> SecondFactorRequired:
    token, expires_at = issuing.opaque_token(), at + PENDING_LIFE
    PendingLogin.objects.create(token_hash=token.digest, user_id=user.id, methods=proven, expires_at=expires_at)
    seconds = int(PENDING_LIFE.total_seconds())
    return SecondFactorRequired(mfa_required=True, mfa_token=token.text, methods=methods, expires_in=seconds)


def find_pending(*, mfa_token: str, at: datetime) -> PendingLogin:
    """The login that waits for its second factor. Raises WrongCredentials when the token is unknown or expired."""
    waiting = PendingLogin.objects.filter(token_hash=issuing.digest_of(mfa_token), email_code_hash=None)
    pending = waiting.filter(expires_at__gt=at).first()
    if pending is None:
        raise WrongCredentials("The mfa_token is not valid any more. Sign in again.")
    return pending


def complete_log_in(
    *,
    mfa_token: str,
    method: str,
    code: str = "",
    credential: Any = None,
    client: Client,
    at: datetime,
    ceremony: str = "",
) -> TokenPair:
    """Complete a login with the second factor. An `mfa_token` allows PENDING_ATTEMPTS attempts.

    `ceremony` is the one for which the challenge of a passkey was made.

    Raises WrongCredentials, VerifyEmailFirst, SecondFactorBlocked, TooManyRequests and ServiceUnavailable.
    """
    pending = find_pending(mfa_token=mfa_token, at=at)
    _count_attempt(pending, method, client=client)
    user = users_client.find_credentials(user_id=pending.user_id)
    if user is None or not user.is_active:
        _reject_second_factor(pending.user_id, method, client=client, at=at)
    failed = failures.count_attempt(user_id=user.id, method=method)
    if method == "totp" and failed.of_totp > failures.UNTIL_BLOCKED:
        facts = {"user_id": user.id, "method": method, "blocked": True}
        audit.record(audit.Event.SECOND_FACTOR, client=client, at=at, succeeded=False, **facts)
        raise SecondFactorBlocked
    if not second_factors.accept(
        user_id=user.id, method=method, code=code, credential=credential, at=at, ceremony=ceremony
    ):
        failures.notify(user, failed, method=method, client=client, at=at)
        _reject_second_factor(user.id, method, client=client, at=at)
    failures.reset(user_id=user.id)
    lockout.reset_failures(username=user.email, client=client)
    admission.check(user, client=client, at=at)
    with transaction.atomic():  # code that deletes the user's factors waits for this session, and ends it
        if not PendingLogin.objects.filter(token_hash=pending.token_hash).delete()[0]:
            raise WrongCredentials("The mfa_token is not valid any more. Sign in again.")
        methods = list(dict.fromkeys([*pending.methods, _AMR[method], "mfa"]))  # otp once, after a code by email
        return sessions.open_session(user=user, methods=methods, client=client, at=at)


def _count_attempt(pending: PendingLogin, method: str, *, client: Client) -> None:
    """Raises TooManyRequests, and WrongCredentials when the attempts of the token are used up."""
    rate_limits.take(SECOND_FACTOR_LIMIT, key=f"{pending.user_id}{'' if method == 'totp' else f' {client.network}'}")
    allowed = PendingLogin.objects.filter(token_hash=pending.token_hash, attempts__lt=PENDING_ATTEMPTS)
    if not allowed.update(attempts=F("attempts") + 1):
        raise WrongCredentials("There were too many attempts with this mfa_token. Sign in again.")


def _reject_second_factor(user_id: int, method: str, *, client: Client, at: datetime) -> NoReturn:
    facts = {"user_id": user_id, "method": method}
    audit.record(audit.Event.SECOND_FACTOR, client=client, at=at, succeeded=False, **facts)
    raise WrongCredentials("The second factor is wrong.")


def log_in_with_passkey(*, credential: Any, client: Client, at: datetime, ceremony: str = "") -> TokenPair:
    """Open a session with a passkey alone: it verifies its user itself, so it stands for both factors.

    `ceremony` is the one for which the challenge was made.

    Raises WrongCredentials, TooManyFailures, VerifyEmailFirst and ServiceUnavailable.
    """
    guessed = f"(passkey) {passkeys.fingerprint_of(credential)}"
    lockout.check(username=guessed, client=client, at=at)
    passkey = passkeys.find(credential=credential, at=at, ceremony=ceremony)
    user = users_client.find_credentials(user_id=passkey.user_id) if passkey else None
    if user and user.is_active:
        admission.check(user, client=client, at=at)
    with transaction.atomic():
        if passkey and user and user.is_active and passkeys.lock_if_present(passkey):
            lockout.reset_failures(username=guessed, client=client)
            return sessions.open_session(user=user, methods=["hwk", "user", "mfa"], client=client, at=at)
    facts = {"user_id": passkey.user_id if passkey else None, "method": "passkey"}
    audit.record(audit.Event.LOGIN, client=client, at=at, succeeded=False, **facts)
    lockout.count_failure(username=guessed, client=client, at=at)
    raise WrongCredentials("The passkey is not valid here.")


def check_password(*, user_id: int, password: str, field: str, client: Client, at: datetime) -> Credentials:
    """The caller's credentials when `password` is right.

    Raises ValidationError for `field` when it is wrong, TooManyFailures, UserNotFound and ServiceUnavailable.
    """
    account = f"user {user_id}"
    lockout.check(username=account, client=client, at=at)
    user = users_client.find_user(user_id=user_id)
    if not password_hashes.matches(password=password, password_hash=user.password_hash):
        facts = {"user_id": user_id, "reason": "wrong current password"}
        audit.record(audit.Event.PASSWORD_CHANGE, client=client, at=at, succeeded=False, **facts)
        lockout.count_failure(username=account, client=client, at=at)
        raise ValidationError({field: ["This is not the current password."]}, code="wrong_password")
    lockout.check(username=account, client=client, at=at)
    lockout.reset_failures(username=account, client=client)
    return user


def prune(*, at: datetime) -> None:
    """Delete logins that were never completed."""
    pruning.delete(PendingLogin.objects.filter(expires_at__lt=at))
