"""Making, using and revoking personal access tokens."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from rest_framework.exceptions import AuthenticationFailed

from auth_ms import users_client
from auth_ms.audit import services as audit
from auth_ms.factors.services import notices
from auth_ms.keys.services import issuing
from auth_ms.personal_tokens import selectors
from auth_ms.personal_tokens.models import PersonalToken
from auth_ms.sessions import services as sessions
from chassis.http.client_address import Client
from chassis.http.errors import InvalidInput, Problem
from chassis.operations import pruning
from chassis.security import personal_tokens
from chassis.security.principal import ADMIN_SCOPE
from chassis.security.rate_limits import services as rate_limits

USES_ARE_WRITTEN_EVERY = timedelta(minutes=1)
EXPIRED_ARE_LISTED_FOR = timedelta(days=30)
CREATIONS = rate_limits.Limit(name="personal_token_creation", times=20, seconds=3600, is_shown=True)


class PersonalTokenNotFound(Problem):
    status = 404
    title = "Personal access token not found"


class TooManyPersonalTokens(Problem):
    status = 409
    title = "Too many personal access tokens"

    def __init__(self) -> None:
        number = settings.PERSONAL_TOKENS_PER_USER
        super().__init__(f"An account has at most {number} personal access tokens. Revoke one first.")


def create(
    *,
    user_id: int,
    session_id: int,
    name: str,
    scopes: list[str],
    resource: str = "",
    days: int,
    client: Client,
    at: datetime,
) -> tuple[PersonalToken, str]:
    """A new token, and its text, which is not stored.

    Raises InvalidInput, TooManyRequests, TooManyPersonalTokens, EmailNotVerified, AuthenticationFailed, UserNotFound
    and ServiceUnavailable.
    """
    rate_limits.take(CREATIONS, key=str(user_id))
    user = users_client.find_verified(user_id=user_id)
    _check_scopes(scopes, of=user, is_for_tessera=not resource)
    text = personal_tokens.make()
    with transaction.atomic():
        sessions.lock_live_session(session_id=session_id)
        _check_number(user_id)
        token = PersonalToken.objects.create(
            user_id=user_id,
            name=name,
            token_hash=issuing.digest_of(text),
            scopes=scopes,
            resource=resource,
            created_at=at,
            expires_at=at + timedelta(days=days),
        )
        facts = {"session_id": session_id, "token_id": token.id, "scopes": scopes, "resource": resource}
        audit.record(audit.Event.PERSONAL_TOKEN_CREATED, client=client, at=at, user_id=user_id, **facts)
        notices.record(notices.Change.PERSONAL_TOKEN_CREATED, contact=user.contact, client=client, at=at)
    return token, text


def _check_scopes(scopes: list[str], *, of: users_client.Credentials, is_for_tessera: bool) -> None:
    known = [personal_tokens.READ, personal_tokens.WRITE]
    allowed = known + ([ADMIN_SCOPE] if of.is_admin else []) if is_for_tessera else of.scopes
    if excess := [scope for scope in scopes if scope not in allowed]:
        raise InvalidInput(errors={"scopes": [f"Not among what this account may give: {', '.join(excess)}."]})


def _check_number(user_id: int) -> None:
    """One creation at a time for each user, so that parallel ones do not exceed the number."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('personal tokens', %s))", [user_id])
    if selectors.tokens_of(user_id=user_id).count() >= settings.PERSONAL_TOKENS_PER_USER:
        raise TooManyPersonalTokens


def use(text: str, *, at: datetime) -> PersonalToken:
    """The token that opens Tessera's own API with this text, whose use is noted and counts against its limit.

    Says nothing of the account. Raises AuthenticationFailed and TooManyRequests.
    """
    token = selectors.find(text, at=at)
    if token is None or token.resource:
        raise AuthenticationFailed("The personal access token is not valid.")
    _note_use(token, is_shown=True, at=at)
    return token


def introspect(text: str, *, resources: list[str], at: datetime) -> tuple[PersonalToken, list[str]] | None:
    """The token for one of `resources` with this text, and the scopes that its user still has. None for any other.

    Raises TooManyRequests and ServiceUnavailable.
    """
    token = selectors.find(text, at=at)
    if token is None or not token.resource or token.resource not in resources:
        return None
    rights = users_client.find_rights(user_id=token.user_id)
    if rights is None or not rights.is_active:
        return None
    _note_use(token, is_shown=False, at=at)  # the caller is an API, not who has the token
    return token, [scope for scope in token.scopes if scope in rights.scopes]


def _note_use(token: PersonalToken, *, is_shown: bool, at: datetime) -> None:
    times = settings.PERSONAL_TOKEN_REQUESTS_PER_MINUTE
    limit = rate_limits.Limit(name="personal_token", times=times, seconds=60, is_shown=is_shown)
    rate_limits.take(limit, key=str(token.id))
    noted_since = at - USES_ARE_WRITTEN_EVERY
    if token.last_used_at is None or token.last_used_at < noted_since:
        unnoted = Q(last_used_at=None) | Q(last_used_at__lt=noted_since)
        PersonalToken.objects.filter(unnoted, id=token.id).update(last_used_at=at)


def find_owner(*, token_id: int) -> int:
    """Whose token this is. Raises PersonalTokenNotFound."""
    owner = PersonalToken.objects.filter(id=token_id).values_list("user_id", flat=True).first()
    if owner is None:
        raise PersonalTokenNotFound
    return int(owner)


def revoke(*, user_id: int, token_id: int, actor_id: int | None, client: Client, at: datetime) -> None:
    """Delete a token of a user, who is notified; `actor_id` is the admin who does it, if one does.

    Raises PersonalTokenNotFound, UserNotFound and ServiceUnavailable.
    """
    user = users_client.find_user(user_id=user_id)
    with transaction.atomic():
        deleted, _ = PersonalToken.objects.filter(user_id=user_id, id=token_id).delete()
        if not deleted:
            raise PersonalTokenNotFound
        facts: dict[str, Any] = {"actor_id": actor_id, "token_id": token_id}
        audit.record(audit.Event.PERSONAL_TOKEN_REVOKED, client=client, at=at, user_id=user_id, **facts)
        by = None if actor_id else client  # the owner learns nothing of the admin's device
        notices.record(notices.Change.PERSONAL_TOKEN_REVOKED, contact=user.contact, client=by, at=at)


def revoke_all(*, user_id: int, reason: str, created_before: datetime | None = None, at: datetime) -> None:
    """Delete the tokens of a user, in the caller's transaction; the notice is that of the reason."""
    tokens = selectors.tokens_of(user_id=user_id)
    if created_before is not None:
        tokens = tokens.filter(created_at__lt=created_before)
    deleted, _ = tokens.delete()
    if deleted:
        facts: dict[str, Any] = {"user_id": user_id, "reason": reason, "tokens": deleted}
        audit.record(audit.Event.PERSONAL_TOKEN_REVOKED, client=None, at=at, **facts)


def prune(*, at: datetime) -> None:
    """Delete tokens that expired a while ago; until then their owner sees that they did."""
    pruning.delete(PersonalToken.objects.filter(expires_at__lt=at - EXPIRED_ARE_LISTED_FOR))
