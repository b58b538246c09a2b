"""The caller of a request, and the scopes that have a meaning to every service."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

SERVICE_SCOPE = "service"
ADMIN_SCOPE = "admin"
RESERVED_SCOPES = frozenset({SERVICE_SCOPE, ADMIN_SCOPE})


@dataclass(frozen=True, kw_only=True)
class ClientPrincipal:
    """A client of the OpenID provider that calls as itself. It is no `Principal`, so that only routes that ask for it
    admit it; `scopes` are those that it has now."""

    client_id: str
    scopes: frozenset[str]

    is_authenticated = True


@dataclass(frozen=True, kw_only=True)
class Principal:
    """A user (`user_id` is set) or another service of Tessera."""

    subject: str
    user_id: int | None
    session_id: int | None
    scopes: frozenset[str]
    authenticated_at: int | None  # Unix time of the user's last authentication
    is_live: bool = False  # session and account were checked for this request; `scopes` are those still granted
    token_scopes: frozenset[str] | None = None  # of a personal access token, which has no session; otherwise None
    actor_id: int | None = None  # the admin who acts as the user

    is_authenticated = True  # Django REST framework reads this from `request.user`

    @property
    def is_service(self) -> bool:
        return self.user_id is None

    @property
    def is_personal_token(self) -> bool:
        """True when the user's machine calls with a personal access token, and nobody has signed in."""
        return self.token_scopes is not None

    @property
    def is_admin(self) -> bool:
        return not self.is_service and ADMIN_SCOPE in self.scopes

    def may_act_for(self, user_id: int) -> bool:
        """True for the user itself and for admins."""
        return self.is_admin or (self.user_id is not None and self.user_id == user_id)

    def has_just_signed_in(self, *, at: datetime) -> bool:
        """As `is_recent`, of the user's last authentication."""
        return is_recent(self.authenticated_at or 0, at=at)


def is_recent(authenticated_at: float, *, at: datetime) -> bool:
    """True within PRIVILEGED_SESSION_SECONDS of an authentication, in Unix time: for actions that a stolen session must
    not allow."""
    return bool(at.timestamp() - authenticated_at <= settings.PRIVILEGED_SESSION_SECONDS)
