"""Sessions: opened by a login, continued by refresh tokens, ended by their owner or when a token was stolen."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from rest_framework.exceptions import AuthenticationFailed

from auth_ms import users_client
from auth_ms.audit import services as audit
from auth_ms.keys.services import issuing
from auth_ms.sessions import acting, endings, events, lifetimes, rotation
from auth_ms.sessions.models import RefreshToken, Session
from auth_ms.users_client import Credentials
from chassis.http.client_address import Client
from chassis.http.errors import Problem
from chassis.operations import pruning
from chassis.outbox import services as outbox

_SESSIONS_OF_AN_EVENT = 1000


@dataclass(frozen=True, kw_only=True)
class TokenPair:
    """The response to a login (RFC 6749, §5.1), the lifetime of the refresh token, and the session that they belong to.

    Lifetimes are in seconds.
    """

    access_token: str
    token_type: str
    expires_in: int
    refresh_token: str
    refresh_expires_in: int
    session: Session


class SessionNotFound(Problem):
    status = 404
    title = "Session not found"


class InvalidRefreshToken(Problem):
    status = 401
    title = "Invalid refresh token"
    detail = "The refresh token is not valid, or its session has ended. Sign in again."

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": 'Bearer realm="tessera", error="invalid_token"'})


class SecondFactorRequired(InvalidRefreshToken):
    """The session was opened without a second factor, and this installation requires one now."""

    title = "Second factor required"
    detail = "A second factor is required now, and this session has none, so it has ended. Sign in again."
    code = "second_factor_required"


class _Authenticated(Protocol):
    """A session or a grant."""

    methods: Any
    actor_id: Any


def lacks_second_factor(opened: _Authenticated) -> bool:
    """Whether a session or grant may not go on without a second factor (SECOND_FACTOR_REQUIRED).

    An admin who acts as the user has given one to sign in.
    """
    return settings.SECOND_FACTOR_REQUIRED and opened.actor_id is None and "mfa" not in opened.methods


def open_session(*, user: Credentials, methods: list[str], client: Client, at: datetime) -> TokenPair:
    """Open a session for a user who authenticated with `methods` (RFC 8176), and publish the login."""
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


def open_impersonated_session(*, user: Credentials, actor_id: int, at: datetime) -> TokenPair:
    """Open a session in which `actor_id`, an admin, acts as `user`. Nothing of the admin's device is stored with it.

    The caller records and announces it, in its transaction.
    """
    refresh_token = issuing.opaque_token()
    session = Session.objects.create(user_id=user.id, actor_id=actor_id, created_at=at, last_used_at=at)
    _store(refresh_token, session=session, at=at)
    return _pair(session, refresh_token, scope=user.scope, at=at)


def _store(token: issuing.OpaqueToken, *, session: Session, at: datetime) -> None:
    expires_at = at + rotation.life_of_token(session, at=at)
    RefreshToken.objects.create(session=session, token_hash=token.digest, expires_at=expires_at)


def _pair(session: Session, refresh_token: issuing.OpaqueToken, *, scope: str, at: datetime) -> TokenPair:
    return TokenPair(
        access_token=issuing.access_token(
            user_id=session.user_id,
            session_id=session.id,
            scope=scope,
            methods=session.methods,
            authenticated_at=session.created_at,
            actor_id=session.actor_id,
            at=at,
        ),
        token_type="Bearer",  # noqa: S106 - the type of the token, not a password
        expires_in=settings.ACCESS_TOKEN_SECONDS,
        refresh_token=refresh_token.text,
        refresh_expires_in=int(rotation.life_of_token(session, at=at).total_seconds()),
        session=session,
    )


def refresh(*, refresh_token: str, client: Client, at: datetime) -> TokenPair:
    """Exchange a refresh token for its successor and a new access token with the user's current rights.

    A token that is used again too late was stolen: its session ends (RFC 9700, §4.14.2). Raises
    InvalidRefreshToken, SecondFactorRequired and ServiceUnavailable.
    """
    presented = _find(refresh_token, at=at)
    _reject_reuse(presented, client=client, at=at)
    user = users_client.find_credentials(user_id=presented.session.user_id)
    if user is None or not user.is_active or not acting.is_allowed(presented.session.actor_id, user=user):
        end_session(presented.session, event=audit.Event.SESSION_REVOKED, client=client, at=at)
        raise InvalidRefreshToken
    if lacks_second_factor(presented.session):
        facts = {"reason": "a second factor is required"}
        end_session(presented.session, event=audit.Event.SESSION_REVOKED, client=client, at=at, **facts)
        raise SecondFactorRequired
    with transaction.atomic():
        session = Session.objects.select_for_update().get(id=presented.session_id)
        presented = RefreshToken.objects.select_for_update().get(id=presented.id)
        successor = rotation.successor_of(presented, refresh_token)
        if session.revoked_at is None and presented.used_at is None:
            _rotate(presented, successor, session=session, client=client, at=at)
    if session.revoked_at is not None:
        raise InvalidRefreshToken
    _reject_reuse(presented, client=client, at=at)
    return _pair(session, successor, scope=user.scope, at=at)


def _find(text: str, *, at: datetime) -> RefreshToken:
    found = RefreshToken.objects.select_related("session").filter(token_hash=issuing.digest_of(text)).first()
    if found is None or found.session.revoked_at is not None or found.expires_at <= at:
        raise InvalidRefreshToken
    if lifetimes.end_of(found.session) <= at:  # as the settings are now
        raise InvalidRefreshToken
    return found


def _reject_reuse(presented: RefreshToken, *, client: Client, at: datetime) -> None:
    if rotation.was_reused(presented, at=at):
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
    facts: dict[str, Any] = {"user_id": session.user_id, "session_id": session.id, "actor_id": session.actor_id}
    audit.record(audit.Event.TOKEN_REFRESH, client=client, at=at, **facts)


_REASONS: dict[str, str] = {audit.Event.LOGOUT: "logout", audit.Event.REFRESH_TOKEN_REUSE: "token_reuse"}


def end_session(session: Session, *, event: str, client: Client | None, at: datetime, **facts: Any) -> None:
    """End a session, and record why; a session that has already ended stays as it is."""
    with transaction.atomic():
        if Session.objects.filter(id=session.id, revoked_at=None).update(revoked_at=at):
            reason = _REASONS.get(event, "revoked")
            _announce_end(user_id=session.user_id, session_ids=[session.id], reason=reason, at=at)
            known = {"user_id": session.user_id, "session_id": session.id, "actor_id": session.actor_id}
            audit.record(event, client=client, at=at, **(known | facts))


def log_out(*, session_id: int, client: Client, at: datetime) -> None:
    session = Session.objects.get(id=session_id)
    end_session(session, event=audit.Event.LOGOUT, client=client, at=at)


def log_out_everywhere(*, user_id: int, client: Client, at: datetime) -> None:
    with transaction.atomic():
        ended = end_sessions_of(user_id=user_id, reason="logout_all", at=at)
        audit.record(audit.Event.LOGOUT_ALL, client=client, at=at, user_id=user_id, sessions=ended)


def end_sessions_of(
    *, user_id: int, reason: str, at: datetime, but: int | None = None, opened_before: datetime | None = None
) -> int:
    """End the sessions of a user, except `but`, or only those opened before a moment. Returns their number.

    Those in which the user, as an admin, acts as somebody else end too. `reason` is one of `events.REASONS`.
    """
    own_or_acting = Q(user_id=user_id) | Q(actor_id=user_id)
    sessions = Session.objects.filter(own_or_acting, revoked_at=None).exclude(id=but)
    if opened_before is not None:
        sessions = sessions.filter(created_at__lt=opened_before)
    with transaction.atomic():
        found = list(sessions.select_for_update(no_key=True).order_by("id").values_list("user_id", "id"))
        if found:
            Session.objects.filter(id__in=[session_id for _, session_id in found]).update(revoked_at=at)
        for owner in dict.fromkeys(owner for owner, _ in found):
            session_ids = [session_id for each, session_id in found if each == owner]
            why = reason if owner == user_id else "revoked"
            _announce_end(user_id=owner, session_ids=session_ids, reason=why, at=at)
    return len(found)


def end_sessions_acting(*, actor_id: int, at: datetime) -> None:
    """End the sessions in which a user, whose rights have changed, acts as somebody else."""
    for session in Session.objects.filter(actor_id=actor_id, revoked_at=None):
        end_session(session, event=audit.Event.SESSION_REVOKED, client=None, at=at)


def _announce_end(*, user_id: int, session_ids: list[int], reason: str, at: datetime) -> None:
    endings.ended.send(Session, session_ids=session_ids, at=at)
    for first in range(0, len(session_ids), _SESSIONS_OF_AN_EVENT):
        some = session_ids[first : first + _SESSIONS_OF_AN_EVENT]
        outbox.record(events.SessionsEnded(user_id=user_id, session_ids=some, reason=reason), at=at)


def lock_live_session(*, session_id: int) -> None:
    """Keep the session alive until the caller's transaction ends. Raises AuthenticationFailed when it has ended.

    Code that ends the sessions of a user and then deletes its factors waits here, so it also deletes a factor that is
    just being added.
    """
    if Session.objects.select_for_update(no_key=True).filter(id=session_id, revoked_at=None).first() is None:
        raise AuthenticationFailed("The session has ended.")


def revoke(
    *, session_id: int, actor_id: int | None, may_act_for: Callable[[int], bool], client: Client, at: datetime
) -> None:
    """End one session of a user for whom `may_act_for` allows the actor to act. Raises SessionNotFound."""
    session = Session.objects.filter(id=session_id, revoked_at=None).first()
    if session is None or not may_act_for(session.user_id):
        raise SessionNotFound
    actor = {} if actor_id == session.user_id else {"actor_id": actor_id}
    end_session(session, event=audit.Event.SESSION_REVOKED, client=client, at=at, **actor)


def prune(*, at: datetime) -> None:
    """Delete sessions that ended or were last used so long ago that all of their tokens have expired."""
    pruning.delete(
        RefreshToken.objects.filter(expires_at__lt=at).order_by("id")
    )  # in the order in which they expire, by an index
    for members, life in lifetimes.by_kind():
        pruning.delete(Session.objects.filter(**members, last_used_at__lt=at - life.idle))
