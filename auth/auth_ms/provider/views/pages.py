"""Authorization and logout: the routes to which applications send browsers."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views import View

from auth_ms.external.selectors import enabled_providers
from auth_ms.external.services.identities import ProvenIdentity
from auth_ms.provider import pages, scopes
from auth_ms.provider.errors import AuthorizationError, NotForClient, OAuthError
from auth_ms.provider.models import AuthorizationRequest
from auth_ms.provider.services import authorization, logout
from auth_ms.provider.views.forms import read
from auth_ms.sessions import page_cookies
from auth_ms.sessions import services as sessions
from auth_ms.sessions.models import Session
from auth_ms.sign_in.services import email_codes
from auth_ms.users_client import Membership, find_credentials
from chassis.http.client_address import client_of
from chassis.http.errors import ServiceUnavailable


class Page(View):
    """A route for browsers: an error becomes a page, or goes to the client."""

    http_method_names = ["get", "post", "head"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            try:
                return super().dispatch(request, *args, **kwargs)  # type: ignore[return-value]  # Django's stubs
            except AuthorizationError as error:
                return pages.answer(request, authorization.refuse(error, at=timezone.now()))
        except NotForClient as error:
            return pages.error(request, error.reason)
        except OAuthError:
            return pages.error(request, "malformed")
        except (ServiceUnavailable, OperationalError):
            return pages.error(request, "unavailable", status=503)


class Authorize(Page):
    """RFC 6749, §3.1, and OpenID Connect Core 1.0, §3.1.2."""

    def get(self, request: HttpRequest) -> HttpResponse:
        at = timezone.now()
        asked = _request_of(request.GET, browser=page_cookies.browser_of(request), at=at)
        return proceed(request, asked, page_cookies.session_of(request, at=at), at=at)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Browsers send no Lax cookies with a form of another site, so the request comes again by GET."""
        at = timezone.now()
        asked = _request_of(request.POST, browser=page_cookies.browser_of(request), at=at)
        request_uri = authorization.push(asked.parameters, client=asked.client, at=at)
        own = f"{settings.PUBLIC_URL}/auth-ms/oauth/authorize"
        return pages.redirect(own, {"client_id": asked.client.client_id, "request_uri": request_uri})


def _request_of(data: Any, *, browser: str, at: datetime) -> AuthorizationRequest:
    """The checked request in a query or form, or the one that was pushed before."""
    form, resources = read(data)
    client = authorization.find_client(form)
    if form.get("request_uri", "").startswith(authorization.REQUEST_URI):
        return authorization.find_pushed(form["request_uri"], client=client, browser=browser, at=at)
    parameters = authorization.check(form, resources, client=client)
    return AuthorizationRequest(client=client, parameters=parameters, created_at=at)


def proceed(
    request: HttpRequest, asked: AuthorizationRequest, session: Session | None, *, at: datetime
) -> HttpResponse:
    """Ask the user for what is missing, or answer the client."""
    if authorization.needs_sign_in(asked, session, at=at) or session is None:
        return ask(request, asked, at=at, page="sign_in", username=asked.parameters["login_hint"])
    return finish(request, asked, session, at=at)


def finish(
    request: HttpRequest, asked: AuthorizationRequest, session: Session, *, at: datetime, token: str = ""
) -> HttpResponse:
    """Ask the signed-in user for the organization, then for consent, as far as needed, or answer the client."""
    if found := authorization.organizations_to_choose(asked, session):
        return ask_organization(request, asked, session, found, at=at, token=token)
    if authorization.needs_consent(asked, session):
        return ask_consent(request, asked, session, at=at, token=token)
    return pages.answer(request, authorization.grant(asked, session, client=client_of(request), at=at))


def ask(
    request: HttpRequest, asked: AuthorizationRequest, *, at: datetime, page: str, token: str = "", **values: Any
) -> HttpResponse:
    """Show a page with a form about this request, which is kept until its user has decided."""
    browser = page_cookies.browser_of(request) or page_cookies.new_browser()
    if page == "sign_in":
        values |= {"by_email": email_codes.is_offered()}
    if page == "sign_in" and getattr(asked.client, "offers_providers", True):  # unknown: the providers are asked for
        values |= {"providers": enabled_providers()}
    response = pages.show(
        request,
        page,
        leads_to=asked.parameters["redirect_uri"],
        locales=asked.parameters["ui_locales"],
        token=token or authorization.keep(asked, browser=browser, at=at),
        client=asked.client or {"name": settings.WEBAUTHN_RP_NAME},  # none: the console
        **values,
    )
    page_cookies.set_browser(response, browser)
    return response


def ask_link(
    request: HttpRequest,
    asked: AuthorizationRequest,
    session: Session,
    identity: ProvenIdentity,
    *,
    at: datetime,
    token: str,
    **values: Any,
) -> HttpResponse:
    """Ask whether the identity that another provider has proven be linked to the account of `session`."""
    user = find_credentials(user_id=session.user_id)
    shown = {"session_id": session.id, "email": user.email if user else "", "identity": identity}
    return ask(request, asked, at=at, page="link", token=token, **shown, **values)


def ask_organization(
    request: HttpRequest,
    asked: AuthorizationRequest,
    session: Session,
    found: list[Membership],
    *,
    at: datetime,
    token: str,
) -> HttpResponse:
    """Ask with which of its organizations the user goes on to the client."""
    user = find_credentials(user_id=session.user_id)
    shown = {"session_id": session.id, "email": user.email if user else "", "memberships": found}
    return ask(request, asked, at=at, page="organization", token=token, **shown)


def ask_consent(
    request: HttpRequest, asked: AuthorizationRequest, session: Session, *, at: datetime, token: str = ""
) -> HttpResponse:
    """Ask whether the client may have what it asks for."""
    user = find_credentials(user_id=session.user_id)
    wanted = authorization.scopes_to_consent(asked)
    return ask(
        request,
        asked,
        at=at,
        page="consent",
        token=token,
        session_id=session.id,
        email=user.email if user else "",
        scopes=[f"scope_{scope}" for scope in wanted if scope in scopes.IDENTITY and scope != scopes.ATTRIBUTES],
        custom_claims=sorted(asked.client.claims) if scopes.ATTRIBUTES in wanted else [],
        rights=[scope for scope in wanted if scope not in scopes.IDENTITY],
        resources=asked.parameters["resources"],
        user_code=asked.parameters.get("user_code", ""),
        logo=asked.client.presentation["logo_uri"],
        place=asked.parameters["redirect_uri"],
    )


class EndSession(Page):
    """OpenID Connect RP-Initiated Logout 1.0."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._answer(request, request.GET)

    def post(self, request: HttpRequest) -> HttpResponse:
        return self._answer(request, request.POST)

    def _answer(self, request: HttpRequest, data: Any) -> HttpResponse:
        at = timezone.now()
        form, _ = read(data)
        asked = logout.check(form)
        session = page_cookies.session_of(request, at=at)
        browser = page_cookies.browser_of(request)
        confirmed = bool(browser) and logout.is_confirmed(form, session=session, browser=browser)
        if session is not None and not confirmed and not asked.names(session):
            browser = browser or page_cookies.new_browser()
            page = pages.show(
                request,
                "sign_out",
                leads_to=asked.redirect_uri,
                locales=form.get("ui_locales", ""),
                members={name: value for name, value in form.items() if name != "confirmation"},
                confirmation=logout.confirmation(session=session, browser=browser),
            )
            page_cookies.set_browser(page, browser)
            return page
        frames: list[str] = []
        if session is not None:
            frames = logout.frames(session, at=at)
            sessions.log_out(session_id=session.id, client=client_of(request), at=at)
        members = {"state": form["state"]} if "state" in form else {}
        if asked.redirect_uri and not frames:
            response = pages.redirect(asked.redirect_uri, members)
        else:
            target = pages.with_query(asked.redirect_uri, members) if asked.redirect_uri else ""
            response = pages.signed_out(request, frames=frames, target=target, locales=form.get("ui_locales", ""))
        page_cookies.delete_session(response)
        return response
