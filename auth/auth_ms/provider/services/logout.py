"""Logout that a client asks for (OpenID Connect RP-Initiated Logout 1.0)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import Q
from django.utils.crypto import constant_time_compare, salted_hmac

from auth_ms import uris
from auth_ms.provider.errors import NotForClient
from auth_ms.provider.models import Grant, OAuthClient
from auth_ms.provider.services import access_tokens
from auth_ms.sessions.models import Session


@dataclass(frozen=True, kw_only=True)
class LogoutRequest:
    """A checked request. `redirect_uri` is empty when the user stays here; `hint` has the claims of the ID token."""

    redirect_uri: str
    hint: dict[str, Any] | None

    def names(self, session: Session) -> bool:
        """True when the client proved, with an ID token of this very session, that the logout is meant for it."""
        return self.hint is not None and self.hint.get("sid") == str(session.id)


def check(form: dict[str, str]) -> LogoutRequest:
    """Raises NotForClient: without a proven client there is nowhere to send an error."""
    hint, client_id = None, form.get("client_id")
    if "id_token_hint" in form:
        hint = access_tokens.decode(form["id_token_hint"], typ="JWT", expired=True)
        if hint is None or client_id not in (None, hint["aud"]):
            raise NotForClient("wrong_hint")
        client_id = hint["aud"]
    uri = form.get("post_logout_redirect_uri", "")
    if uri:
        if client_id is None:
            raise NotForClient("no_logout_client")
        client = OAuthClient.objects.filter(client_id=client_id, is_active=True).first()
        if client is None or not uris.is_registered(uri, client.post_logout_redirect_uris):
            raise NotForClient("wrong_logout_uri")
    return LogoutRequest(redirect_uri=uri, hint=hint)


def frames(session: Session, *, at: datetime) -> list[str]:
    """The addresses to load when `session` ends, one per client of it (OpenID Connect Front-Channel Logout 1.0, §3)."""
    grants = Grant.objects.filter(browser_session_id=session.id, revoked_at=None, client__is_active=True)
    told = grants.filter(Q(code_used_at__isnull=False) | Q(code_expires_at__gt=at))
    addresses = told.exclude(client__frontchannel_logout_uri="").values_list("client__frontchannel_logout_uri")
    named = urlencode({"iss": settings.PUBLIC_URL, "sid": session.id})
    return [f"{uri}{'&' if '?' in uri else '?'}{named}" for (uri,) in addresses.order_by().distinct()]


def confirmation(*, session: Session, browser: str) -> str:
    """What the form of the question sends back: nobody else can make it for this session and browser."""
    return salted_hmac("provider.logout", f"{session.id} {browser}", algorithm="sha256").hexdigest()


def is_confirmed(form: dict[str, str], *, session: Session | None, browser: str) -> bool:
    """True when the user has answered the question."""
    given = form.get("confirmation", "")
    return session is not None and constant_time_compare(given, confirmation(session=session, browser=browser))
