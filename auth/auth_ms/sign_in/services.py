"""The use cases of signing in."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from auth_ms.sign_in import events, issuing, passwords, users_client
from auth_ms.sign_in.models import RefreshToken, Session
from chassis.errors import Problem
from chassis.outbox import services as outbox


class WrongCredentials(Problem):
    status = 401
    title = "Wrong credentials"
    detail = "The username or the password is wrong."

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": 'Bearer realm="tessera"'})


@dataclass(frozen=True, kw_only=True)
class TokenPair:
    """The answer to a login (RFC 6749, §5.1), with the life of the refresh token beside it; lives are in seconds."""

    access_token: str
    token_type: str
    expires_in: int
    refresh_token: str
    refresh_expires_in: int


def log_in(*, username: str, password: str, address: str | None, user_agent: str, at: datetime) -> TokenPair:
    """Sign a user in and announce it. Raises WrongCredentials, and ServiceUnavailable when users-ms does not answer."""
    user = users_client.find_credentials(email=username)
    right = passwords.matches(password=password, password_hash=user.password_hash if user else None)
    if user is None or not right or not user.is_active:
        raise WrongCredentials
    refresh_token = issuing.opaque_token()
    with transaction.atomic():
        session = Session.objects.create(
            user_id=user.id, address=address, user_agent=user_agent, created_at=at, last_used_at=at
        )
        RefreshToken.objects.create(
            session=session,
            token_hash=refresh_token.digest,
            expires_at=at + timedelta(seconds=settings.REFRESH_TOKEN_SECONDS),
        )
        outbox.record(
            events.UserLogin(
                user_id=user.id,
                name=user.name,
                email=user.email,
                phone=user.phone,
                locale=user.locale,
                time_zone=user.time_zone,
                session_id=session.id,
                address=address,
                user_agent=user_agent,
                logged_in_at=at.isoformat(),
            ),
            at=at,
        )
    return TokenPair(
        access_token=issuing.person_token(
            user_id=user.id, session_id=session.id, is_admin=user.is_admin, at=at.timestamp()
        ),
        token_type="Bearer",  # noqa: S106 - the type of the token, not a password
        expires_in=settings.ACCESS_TOKEN_SECONDS,
        refresh_token=refresh_token.text,
        refresh_expires_in=settings.REFRESH_TOKEN_SECONDS,
    )
