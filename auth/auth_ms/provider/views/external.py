"""Sign-in with other providers: where browsers go there, and where they come back.

A sign-in belongs to an authorization request, or to one of the console, and to the browser that has begun it.
"""

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from auth_ms.external.models import ExternalSignIn
from auth_ms.external.problems import (
    Cancelled,
    ExternalFailure,
    NotRecent,
    ProviderNotFound,
    ProviderUnavailable,
    UnknownState,
)
from auth_ms.external.services import sign_ins
from auth_ms.external.services.identities import ProvenIdentity
from auth_ms.provider import pages, texts
from auth_ms.provider.errors import NotForClient
from auth_ms.provider.models import AuthorizationRequest
from auth_ms.provider.services import authorization
from auth_ms.provider.views.forms import read
from auth_ms.provider.views.interaction import again, go_on
from auth_ms.provider.views.pages import Page, ask, ask_link
from auth_ms.sessions import page_cookies
from chassis.http.client_address import client_of
from chassis.http.errors import Problem
from chassis.security.principal import is_recent

ACCOUNT = "/#/security"  # the page of the console that lists identities
_RESPONSE = ("code", "state", "iss", "error", "user")  # `user` is what Apple adds
_AGAIN = "again"
_STATUSES = {Cancelled: 403, ProviderUnavailable: 503}


class Begin(Page):
    """From the sign-in page by POST; from the console, which has no authorization request, by GET."""

    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest, slug: str) -> HttpResponse:
        """Sign in to the console, or, with `link`, link a further identity to the account of this browser's session.

        With `again`, for an action that needs a recent sign-in, the provider has to sign the user in again.

        A link of another site leads to the sign-in page, so that nobody is signed in without an action of their own.
        """
        at = timezone.now()
        form, _ = read(request.GET)
        links = None
        if "link" in form:
            session = page_cookies.session_of(request, at=at)
            if session is None or session.is_impersonated or not is_recent(session.created_at.timestamp(), at=at):
                raise NotForClient("sign_in_again")
            links = session.id
        prompt = ["login"] if "again" in form else []
        asked = authorization.for_console(path=ACCOUNT if links else "/", prompt=prompt, at=at)
        browser = page_cookies.browser_of(request) or page_cookies.new_browser()
        token = authorization.keep(asked, browser=browser, at=at)
        if links is None and request.headers.get("Sec-Fetch-Site") != "same-origin":
            response = ask(request, asked, at=at, page="sign_in", token=token)
            page_cookies.set_browser(response, browser)
            return response
        response = _begin(request, asked, token, slug=slug, browser=browser, links=links, at=at)
        page_cookies.set_browser(response, browser)
        return response

    def post(self, request: HttpRequest, slug: str) -> HttpResponse:
        """The button on the sign-in page."""
        at = timezone.now()
        form, _ = read(request.POST)
        browser = page_cookies.browser_of(request)
        token = form.get("request", "")
        asked = authorization.find_kept(token, browser=browser, at=at)
        return _begin(request, asked, token, slug=slug, browser=browser, links=None, at=at)


def _begin(
    request: HttpRequest,
    asked: AuthorizationRequest,
    token: str,
    *,
    slug: str,
    browser: str,
    links: int | None,
    at: datetime,
) -> HttpResponse:
    try:
        url = sign_ins.begin(
            slug=slug,
            request_token=token,
            browser=browser,
            links_session_id=links,
            prompt=_prompt(asked),
            max_age=_max_age(asked),
            client=client_of(request),
            at=at,
        )
    except ProviderNotFound as error:
        raise NotForClient("malformed") from error
    except ExternalFailure as failure:
        return _failed(request, asked, token, failure, is_link=links is not None, at=at)
    except Problem as problem:
        return again(request, asked, problem, at=at, page="sign_in", token=token)
    return pages.redirect(url, {})


def _prompt(asked: AuthorizationRequest) -> str:
    """What the application asks for, passed on, so that a session at the provider does not answer for its user."""
    return " ".join(each for each in ("login", "select_account") if each in asked.parameters["prompt"])


def _max_age(asked: AuthorizationRequest) -> int | None:
    """How long ago the user may have signed in at the provider, in seconds.

    `prompt=login` asks for a sign-in now: with `max_age` the provider has to say when it was (Core, §3.1.2.1).
    """
    return 0 if "login" in asked.parameters["prompt"] else asked.parameters["max_age"]


class Callback(Page):
    """The authorization response of a provider (OpenID Connect Core 1.0, §3.1.2.5)."""

    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest, slug: str) -> HttpResponse:
        form, _ = read(request.GET)
        return self._answer(request, slug, form)

    def post(self, request: HttpRequest, slug: str) -> HttpResponse:
        """`response_mode=form_post`. Browsers send no Lax cookies with a form of another site, so the same form comes
        again from a page here: the state stays bound to the browser, and names do not get into an address."""
        form, _ = read(request.POST)
        if _AGAIN in form:
            return self._answer(request, slug, form)
        members = {name: form[name] for name in _RESPONSE if name in form} | {_AGAIN: "1"}
        # After it the browser may be sent to any application, which only its cookie tells.
        return pages.show(
            request, "form_post", leads_to="http:", target=request.path, members=members, script=pages.SUBMIT
        )

    def _answer(self, request: HttpRequest, slug: str, form: dict[str, str]) -> HttpResponse:
        at = timezone.now()
        browser = page_cookies.browser_of(request)
        try:
            begun = sign_ins.take(slug=slug, state=form.get("state", ""), browser=browser, at=at)
        except UnknownState as error:
            raise NotForClient("expired") from error
        asked = authorization.find_kept(begun.request_token, browser=browser, at=at)
        try:
            return _complete(request, asked, begun, form, at=at)
        except ExternalFailure as failure:
            is_link = begun.links_session_id is not None
            return _failed(request, asked, begun.request_token, failure, is_link=is_link, at=at)
        except Problem as problem:
            return again(request, asked, problem, at=at, page="sign_in", token=begun.request_token)


def _complete(
    request: HttpRequest, asked: AuthorizationRequest, begun: ExternalSignIn, form: dict[str, str], *, at: datetime
) -> HttpResponse:
    client, token = client_of(request), begun.request_token
    person = sign_ins.person_of(begun, form, max_age=_max_age(asked), client=client, at=at)
    provider = begun.provider
    identity = ProvenIdentity(
        provider_id=provider.id, provider_name=provider.name, subject=person.subject, email=person.email
    )
    if begun.links_session_id is not None:
        session = page_cookies.session_of(request, at=at)
        if session is None or session.id != begun.links_session_id:
            raise NotForClient("expired")  # the user of this browser has changed since
        authorization.keep_identity(asked, identity)
        return ask_link(request, asked, session, identity, at=at, token=token)
    language = texts.language_of(
        wanted=asked.parameters["ui_locales"], accepted=request.headers.get("Accept-Language", "")
    )
    try:
        result = sign_ins.sign_in(provider, person, locale=language, client=client, at=at)
    except sign_ins.SignInFirst:
        authorization.keep_identity(asked, identity)
        values = {"username": person.email, "problem": "external_sign_in_first"}
        return ask(request, asked, at=at, page="sign_in", token=token, **values)
    return go_on(request, asked, result, token, at=at)


def _failed(
    request: HttpRequest,
    asked: AuthorizationRequest,
    token: str,
    failure: ExternalFailure,
    *,
    is_link: bool,
    at: datetime,
) -> HttpResponse:
    """The sign-in page with what went wrong; for who is signed in, only that."""
    reason = {
        Cancelled: "external_cancelled",
        NotRecent: "external_not_recent",
        ProviderUnavailable: "external_unavailable",
    }
    problem = reason.get(type(failure), "external_failed")
    status = _STATUSES.get(type(failure), 403)
    if is_link:
        return pages.error(request, problem, status=status)
    response = ask(request, asked, at=at, page="sign_in", token=token, problem=problem)
    response.status_code = status
    return response
