"""Signing in: by password, by a second factor after it, or by a passkey alone."""

import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn

from django.db.models import F
from rest_framework.exceptions import ValidationError

from auth_ms.sign_in import audit, issuing, lockout, passwords, users_client
from auth_ms.sign_in.models import PendingLogin
from auth_ms.sign_in.services import passkeys, second_factors, sessions
from auth_ms.sign_in.services.sessions import TokenPair
from auth_ms.sign_in.users_client import Credentials
from chassis import pruning, turns
from chassis.clients import Client
from chassis.errors import Problem, ServiceUnavailable
from chassis.rate_limits import services as rate_limits

PENDING_LIFE = timedelta(minutes=5)
PENDING_ATTEMPTS = 5
# The second factor of one account, over all logins: who tries it knows the password, so no stranger can use this up.
SECOND_FACTOR_LIMIT = rate_limits.Limit(name="second_factor", times=20, seconds=3600)


class WrongCredentials(Problem):
    status = 401
    title = "Wrong credentials"
    detail = "The username or the password is wrong."

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="tessera"'})


@dataclass(frozen=True, kw_only=True)
class SecondFactorRequired:
    """The password was right; `mfa_token` and one of `methods` complete the login within `expires_in` seconds."""

    mfa_required: bool
    mfa_token: str
    methods: list[str]
    expires_in: int


def log_in(*, username: str, password: str, client: Client, at: datetime) -> TokenPair | SecondFactorRequired:
    """Sign a user in and announce it, or ask for the second factor of a user who has one.

    Raises WrongCredentials, TooManyFailures, and ServiceUnavailable when users-ms does not answer or too many sign in.
    """
    turns.passwords.check()
    try:
        lockout.check(username=username, client=client, at=at)
    except lockout.TooManyFailures:
        audit.record(audit.Event.LOGIN_LOCKED, client=client, at=at, succeeded=False, username=username)
        raise
    user = users_client.find_credentials(email=username)
    right = passwords.matches(password=password, password_hash=user.password_hash if user else None)
    if user is None or not right or not user.is_active:
        _refuse(username, user, client=client, at=at)
    lockout.check(username=username, client=client, at=at)  # a right guess among many at once is told to nobody
    if passwords.is_outdated(user.password_hash):
        _renew_hash(user, password)
    methods = second_factors.methods_of(user_id=user.id)
    if methods:
        return _await_second_factor(user, methods, at=at)
    lockout.forget_failures(username=username, client=client)
    return sessions.open_session(user=user, methods=["pwd"], client=client, at=at)


def _refuse(username: str, user: Credentials | None, *, client: Client, at: datetime) -> NoReturn:
    """Raises WrongCredentials or TooManyFailures, after the same work for every reason."""
    user_id = user.id if user else None
    audit.record(audit.Event.LOGIN, client=client, at=at, succeeded=False, username=username, user_id=user_id)
    lockout.count_failure(username=username, client=client, at=at)
    raise WrongCredentials


def _renew_hash(user: Credentials, password: str) -> None:
    with contextlib.suppress(ServiceUnavailable):  # the next login tries again
        users_client.renew_password_hash(user_id=user.id, password=password, replaces=user.password_hash)


def _await_second_factor(user: Credentials, methods: list[str], *, at: datetime) -> SecondFactorRequired:
    token = issuing.opaque_token()
    PendingLogin.objects.create(token_hash=token.digest, user_id=user.id, expires_at=at + PENDING_LIFE)
    seconds = int(PENDING_LIFE.total_seconds())
    return SecondFactorRequired(mfa_required=True, mfa_token=token.text, methods=methods, expires_in=seconds)


def find_pending(*, mfa_token: str, at: datetime) -> PendingLogin:
    """The login that waits for its second factor. Raises WrongCredentials when there is none of this token."""
    pending = PendingLogin.objects.filter(token_hash=issuing.digest_of(mfa_token), expires_at__gt=at).first()
    if pending is None:
        raise WrongCredentials("The mfa_token is not valid any more. Sign in again.")
    return pending


def complete_log_in(
    *, mfa_token: str, method: str, code: str = "", credential: Any = None, client: Client, at: datetime
) -> TokenPair:
    """Complete a login with the second factor. A `mfa_token` allows PENDING_ATTEMPTS attempts.

    Raises WrongCredentials, TooManyRequests and ServiceUnavailable.
    """
    pending = find_pending(mfa_token=mfa_token, at=at)
    rate_limits.take(SECOND_FACTOR_LIMIT, key=str(pending.user_id))
    allowed = PendingLogin.objects.filter(token_hash=pending.token_hash, attempts__lt=PENDING_ATTEMPTS)
    if not allowed.update(attempts=F("attempts") + 1):
        raise WrongCredentials("There were too many attempts with this mfa_token. Sign in again.")
    user = users_client.find_credentials(user_id=pending.user_id)
    right = user is not None and user.is_active
    if method == "passkey":
        right = right and passkeys.matches(user_id=pending.user_id, credential=credential, at=at)
    else:
        right = right and second_factors.accept(user_id=pending.user_id, method=method, code=code, at=at)
    if user is None or not right:
        facts = {"user_id": pending.user_id, "method": method}
        audit.record(audit.Event.SECOND_FACTOR, client=client, at=at, succeeded=False, **facts)
        raise WrongCredentials("The second factor is wrong.")
    if not PendingLogin.objects.filter(token_hash=pending.token_hash).delete()[0]:
        raise WrongCredentials("The mfa_token is not valid any more. Sign in again.")
    lockout.forget_failures(username=user.email, client=client)
    return sessions.open_session(user=user, methods=["pwd", _AMR[method], "mfa"], client=client, at=at)


_AMR = {"totp": "otp", "recovery_code": "otp", "passkey": "hwk"}


def log_in_with_passkey(*, credential: Any, client: Client, at: datetime) -> TokenPair:
    """Sign in with a passkey alone: it has verified its user itself, so it stands for both factors.

    Raises WrongCredentials, TooManyFailures and ServiceUnavailable.
    """
    lockout.check(username="(passkey)", client=client, at=at)
    passkey = passkeys.find(credential=credential, at=at)
    user = users_client.find_credentials(user_id=passkey.user_id) if passkey else None
    if user is None or not user.is_active:
        facts = {"user_id": passkey.user_id if passkey else None, "method": "passkey"}
        audit.record(audit.Event.LOGIN, client=client, at=at, succeeded=False, **facts)
        lockout.count_failure(username="(passkey)", client=client, at=at)
        raise WrongCredentials("The passkey is not valid here.")
    return sessions.open_session(user=user, methods=["hwk", "user", "mfa"], client=client, at=at)


def check_password(*, user_id: int, password: str, field: str, client: Client, at: datetime) -> Credentials:
    """The caller's credentials when `password` is its own. Raises ValidationError for `field`, and as `log_in` does."""
    account = f"user {user_id}"
    lockout.check(username=account, client=client, at=at)
    user = users_client.find_credentials(user_id=user_id)
    if user is None:
        raise users_client.UserGone
    if not passwords.matches(password=password, password_hash=user.password_hash):
        lockout.count_failure(username=account, client=client, at=at)
        raise ValidationError({field: ["This is not the current password."]})
    lockout.check(username=account, client=client, at=at)
    lockout.forget_failures(username=account, client=client)
    return user


def prune(*, at: datetime) -> None:
    """Forget logins whose second factor never came."""
    pruning.delete(PendingLogin.objects.filter(expires_at__lt=at))
