"""Sessions: opened by a login, continued by refresh tokens, ended by their owner or by a token that was stolen."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from rest_framework.exceptions import AuthenticationFailed

from auth_ms import events, users_client
from auth_ms.audit import services as audit
from auth_ms.keys import issuing
from auth_ms.keys import services as keys
from auth_ms.models import RefreshToken, Session
from auth_ms.users_client import Credentials
from chassis.http.client_address import Client
from chassis.http.errors import Problem
from chassis.operations import pruning
from chassis.outbox import services as outbox
from chassis.security import tokens

# The parallel requests of one client may all bring the old token; each is given the same successor.
REUSE_WINDOW = timedelta(seconds=10)


@dataclass(frozen=True, kw_only=True)
class TokenPair:
    """The answer to a login (RFC 6749, §5.1), with the life of the refresh token beside it; lives are in seconds."""

    access_token: str
    token_type: str
    expires_in: int
    refresh_token: str
    refresh_expires_in: int


class SessionNotFound(Problem):
    status = 404
    title = "Session not found"


class InvalidRefreshToken(Problem):
    status = 401
    title = "Invalid refresh token"
    detail = "The refresh token is not valid, or its session has ended. Sign in again."

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": 'Bearer realm="tessera", error="invalid_token"'})


def open_session(*, user: Credentials, methods: list[str], client: Client, at: datetime) -> TokenPair:
    """Begin a session of a user who has been authenticated by `methods` (RFC 8176), and announce it."""
    refresh_token = issuing.opaque_token()
    with transaction.atomic():
        session = Session.objects.create(
            user_id=user.id,
            address=client.address,
            user_agent=client.user_agent,
            methods=methods,
            created_at=at,
            last_used_at=at,
        )
        _store(refresh_token, session=session, at=at)
        audit.record(audit.Event.LOGIN, client=client, at=at, user_id=user.id, session_id=session.id, methods=methods)
        outbox.record(
            events.UserLogin(
                **user.contact,
                session_id=session.id,
                address=client.address,
                user_agent=client.user_agent,
                logged_in_at=at.isoformat(),
            ),
            at=at,
        )
    return _pair(session, refresh_token, scope=user.scope, at=at)


def _store(token: issuing.OpaqueToken, *, session: Session, at: datetime) -> None:
    expires_at = at + timedelta(seconds=_refresh_token_life(session, at=at))
    RefreshToken.objects.create(session=session, token_hash=token.digest, expires_at=expires_at)


def _refresh_token_life(session: Session, *, at: datetime) -> int:
    """In seconds; no token outlives its session, which lasts SESSION_SECONDS from its login at most."""
    left = settings.SESSION_SECONDS - int((at - session.created_at).total_seconds())
    life: int = max(0, min(settings.REFRESH_TOKEN_SECONDS, left))
    return life


def _pair(session: Session, refresh_token: issuing.OpaqueToken, *, scope: str, at: datetime) -> TokenPair:
    return TokenPair(
        access_token=issuing.person_token(
            user_id=session.user_id,
            session_id=session.id,
            scope=scope,
            methods=session.methods,
            authenticated_at=session.created_at,
            at=at,
        ),
        token_type="Bearer",  # noqa: S106 - the type of the token, not a password
        expires_in=settings.ACCESS_TOKEN_SECONDS,
        refresh_token=refresh_token.text,
        refresh_expires_in=_refresh_token_life(session, at=at),
    )


def refresh(*, refresh_token: str, client: Client, at: datetime) -> TokenPair:
    """Exchange a refresh token for its successor and a new access token with the user's rights of today.

    A token that comes again after REUSE_WINDOW was stolen, by whoever came first or second: its session ends (RFC 9700,
    §4.14.2). Raises InvalidRefreshToken and ServiceUnavailable.
    """
    presented = _find(refresh_token, at=at)
    _refuse_reuse(presented, client=client, at=at)
    user = users_client.find_credentials(user_id=presented.session.user_id)
    if user is None or not user.is_active:
        end_session(presented.session, event=audit.Event.SESSION_REVOKED, client=client, at=at)
        raise InvalidRefreshToken
    with transaction.atomic():
        session = Session.objects.select_for_update().get(id=presented.session_id)
        presented = RefreshToken.objects.select_for_update().get(id=presented.id)
        successor, *older = issuing.successors_of(refresh_token)
        if presented.used_at is not None and older:
            successor = _given(successor, *older)
        if session.revoked_at is None and presented.used_at is None:
            _rotate(presented, successor, session=session, client=client, at=at)
    if session.revoked_at is not None:
        raise InvalidRefreshToken
    _refuse_reuse(presented, client=client, at=at)
    return _pair(session, successor, scope=user.scope, at=at)


def _given(*successors: issuing.OpaqueToken) -> issuing.OpaqueToken:
    """The one of these that was given out while SIGNING_KEY_ENCRYPTION_KEY is being replaced."""
    known = RefreshToken.objects.filter(token_hash__in=[each.digest for each in successors])
    given = {bytes(digest) for digest in known.values_list("token_hash", flat=True)}
    return next((each for each in successors if each.digest in given), successors[0])


def _find(text: str, *, at: datetime) -> RefreshToken:
    found = RefreshToken.objects.select_related("session").filter(token_hash=issuing.digest_of(text)).first()
    if found is None or found.session.revoked_at is not None or found.expires_at <= at:
        raise InvalidRefreshToken
    if not _refresh_token_life(found.session, at=at):
        raise InvalidRefreshToken
    return found


def _refuse_reuse(presented: RefreshToken, *, client: Client, at: datetime) -> None:
    if presented.used_at is not None and presented.used_at + REUSE_WINDOW < at:
        end_session(presented.session, event=audit.Event.REFRESH_TOKEN_REUSE, client=client, at=at, succeeded=False)
        raise InvalidRefreshToken


def _rotate(
    presented: RefreshToken, successor: issuing.OpaqueToken, *, session: Session, client: Client, at: datetime
) -> None:
    presented.used_at = at
    presented.save(update_fields=["used_at"])
    session.last_used_at = at
    session.save(update_fields=["last_used_at"])
    _store(successor, session=session, at=at)
    audit.record(audit.Event.TOKEN_REFRESH, client=client, at=at, user_id=session.user_id, session_id=session.id)


def end_session(session: Session, *, event: str, client: Client | None, at: datetime, **facts: Any) -> None:
    """End a session, and write down why; one that has ended already stays as it is."""
    with transaction.atomic():
        if Session.objects.filter(id=session.id, revoked_at=None).update(revoked_at=at):
            audit.record(event, client=client, at=at, user_id=session.user_id, session_id=session.id, **facts)


def log_out(*, session_id: int, client: Client, at: datetime) -> None:
    """End the caller's own session."""
    session = Session.objects.get(id=session_id)
    end_session(session, event=audit.Event.LOGOUT, client=client, at=at)


def log_out_everywhere(*, user_id: int, client: Client, at: datetime) -> None:
    """End all sessions of a user."""
    with transaction.atomic():
        ended = end_sessions_of(user_id=user_id, at=at)
        audit.record(audit.Event.LOGOUT_ALL, client=client, at=at, user_id=user_id, sessions=ended)


def end_sessions_of(*, user_id: int, at: datetime, but: int | None = None, begun_before: datetime | None = None) -> int:
    """End the sessions of a user, all `but` one, or those begun before a moment. Returns how many there were."""
    sessions = Session.objects.filter(user_id=user_id, revoked_at=None).exclude(id=but)
    if begun_before is not None:
        sessions = sessions.filter(created_at__lt=begun_before)
    return sessions.update(revoked_at=at)


def revoke(
    *, session_id: int, actor_id: int | None, may_act_for: Callable[[int], bool], client: Client, at: datetime
) -> None:
    """End one session of somebody for whom `may_act_for` says that the actor may. Raises SessionNotFound."""
    session = Session.objects.filter(id=session_id, revoked_at=None).first()
    if session is None or not may_act_for(session.user_id):
        raise SessionNotFound
    actor = {} if actor_id == session.user_id else {"actor_id": actor_id}
    end_session(session, event=audit.Event.SESSION_REVOKED, client=client, at=at, **actor)


def live_sessions(*, at: datetime) -> QuerySet[Session]:
    """The sessions that have not ended: by logout, for not having been used, or for their age."""
    last_used, created = (
        at - timedelta(seconds=seconds) for seconds in (settings.REFRESH_TOKEN_SECONDS, settings.SESSION_SECONDS)
    )
    return Session.objects.filter(revoked_at=None, last_used_at__gt=last_used, created_at__gt=created)


def introspect(*, token: str, at: datetime) -> dict[str, Any]:
    """What RFC 7662, §2.2 answers for an access or refresh token: `active`, and if so, what it is good for now.

    Raises ServiceUnavailable when users-ms does not say whether the account still is.
    """
    try:
        principal = tokens.verify(token, keys=keys.OwnKeys(), audiences=[tokens.USER_AUDIENCE])
    except AuthenticationFailed:
        return _introspect_refresh_token(token, at=at)
    if not live_sessions(at=at).filter(id=principal.session_id, user_id=principal.user_id).exists():
        return {"active": False}
    rights = users_client.find_rights(user_id=principal.user_id or 0)
    if rights is None or not rights.is_active:
        return {"active": False}
    claims = jwt.decode(token, options={"verify_signature": False})
    live = rights.scope.split()
    claims["scope"] = " ".join(scope for scope in str(claims.get("scope", "")).split() if scope in live)
    return {"active": True, "token_type": "access_token", **claims}


def _introspect_refresh_token(token: str, *, at: datetime) -> dict[str, Any]:
    hashes = issuing.digest_of(token)
    found = RefreshToken.objects.select_related("session").filter(token_hash=hashes, used_at=None, expires_at__gt=at)
    stored = found.filter(session__in=live_sessions(at=at)).first()
    rights = users_client.find_rights(user_id=stored.session.user_id) if stored else None
    if stored is None or rights is None or not rights.is_active:
        return {"active": False}
    return {
        "active": True,
        "token_type": "refresh_token",
        "iss": settings.TOKEN_ISSUER,
        "sub": str(stored.session.user_id),
        "sid": str(stored.session_id),
        "iat": int(stored.created_at.timestamp()),
        "exp": int(stored.expires_at.timestamp()),
    }


def prune(*, at: datetime) -> None:
    """Forget sessions that ended, or were last used, so long ago that no token of theirs is good any more."""
    oldest = at - timedelta(seconds=settings.REFRESH_TOKEN_SECONDS)
    pruning.delete(RefreshToken.objects.filter(expires_at__lt=at).order_by("id"))  # as they expire, and by an index
    pruning.delete(Session.objects.filter(last_used_at__lt=oldest))
