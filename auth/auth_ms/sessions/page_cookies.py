"""The cookies of the provider's sign-in pages: which browser is being asked, and which session it has.

Both are `Lax`, because the refresh cookie of the account API is `Strict`, and so does not come along when another site
leads here. Neither gives access to any API. Over HTTPS their names begin with `__Host-` (RFC 6265bis, §4.1.3.2).
A browser that signs in at either gets both: this one, which names the session, and the refresh cookie.
"""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from auth_ms.keys.services import issuing
from auth_ms.sessions import selectors as sessions
from auth_ms.sessions.models import BrowserSession, Session

SESSION, BROWSER = "oauth_session", "oauth_browser"
MAXIMUM_LENGTH = 128


def name_of(kind: str) -> str:
    """The name of a cookie at this address."""
    return f"__Host-{kind}" if is_secure() else kind


def is_secure() -> bool:
    """True when the public address is https."""
    return bool(settings.PUBLIC_URL.startswith("https:"))


def _attributes() -> dict[str, Any]:
    return {"path": "/", "httponly": True, "samesite": "Lax", "secure": is_secure()}


def _read(request: HttpRequest, kind: str) -> str:
    value = request.COOKIES.get(name_of(kind), "")
    return value if len(value) <= MAXIMUM_LENGTH else ""


def session_of(request: HttpRequest, *, at: datetime) -> Session | None:
    """The live session of this browser."""
    digest = issuing.digest_of(_read(request, SESSION))
    named = BrowserSession.objects.filter(token_hash=digest).values("session_id")
    return sessions.live_sessions(at=at).filter(id__in=named).first()


def browser_of(request: HttpRequest) -> str:
    """The secret that this browser was given; empty when it has none."""
    return _read(request, BROWSER)


def new_browser() -> str:
    """A secret for a browser that has none."""
    return issuing.opaque_token().text


def set_browser(response: HttpResponse, secret: str) -> None:
    """Let the browser prove that a form was given to it."""
    response.set_cookie(name_of(BROWSER), secret, **_attributes())


def set_session(response: HttpResponse, session_id: int, *, at: datetime) -> None:
    """Let the browser name its session: always a new secret, so that nobody can have set it before."""
    token = issuing.opaque_token()
    BrowserSession.objects.create(token_hash=token.digest, session_id=session_id, created_at=at)
    response.set_cookie(name_of(SESSION), token.text, max_age=settings.SESSION_SECONDS, **_attributes())


def delete_session(response: HttpResponse) -> None:
    """Let the browser forget its session."""
    response.set_cookie(name_of(SESSION), "", max_age=0, expires="Thu, 01 Jan 1970 00:00:00 GMT", **_attributes())
