"""The sign-in pages' way in by email: asking for a code, typing it, and the link that brings it.

Both belong to one authorization request in one browser. The link carries the code after `#`, which no server is sent,
and only fills in the form: opening it signs nobody in, and in another browser there is no form.
"""

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from auth_ms.provider import pages
from auth_ms.provider.errors import NotForClient
from auth_ms.provider.models import AuthorizationRequest
from auth_ms.provider.services import authorization
from auth_ms.provider.views.forms import read
from auth_ms.provider.views.interaction import again, go_on
from auth_ms.provider.views.pages import Page, ask
from auth_ms.sessions import page_cookies
from auth_ms.sign_in.services import email_codes
from chassis.http.client_address import client_of
from chassis.http.errors import Problem
from chassis.http.fields import Email


class EmailSignIn(Page):
    """404 would be no page: where EMAIL_SIGN_IN is off, no form leads here."""

    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest) -> HttpResponse:
        """Where the link of the mail leads: the form for the code, in the browser that asked for it."""
        at, browser = timezone.now(), page_cookies.browser_of(request)
        asked_for = email_codes.find_asked(browser=browser, at=at) if email_codes.is_offered() else None
        if asked_for is None:
            return pages.show(request, "email_elsewhere", status=400)
        token = asked_for.request_token
        asked = authorization.find_kept(token, browser=browser, at=at)
        return ask(request, asked, at=at, page="email_code", token=token, username=asked_for.email)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Ask for a code, or sign in with it."""
        at, browser = timezone.now(), page_cookies.browser_of(request)
        form, _ = read(request.POST)
        token = form.get("request", "")
        asked = authorization.find_kept(token, browser=browser, at=at)
        if not email_codes.is_offered():
            raise NotForClient("malformed")
        asker = email_codes.Asker.on_page(browser=browser, request_token=token)
        step = _enter if form.get("step") == "email_code" and "again" not in form else _request
        return step(request, asked, form, asker, {"token": token, "username": form.get("username", "")[:254]}, at=at)


def _request(
    request: HttpRequest,
    asked: AuthorizationRequest,
    _: dict[str, str],
    asker: email_codes.Asker,
    shown: dict[str, str],
    *,
    at: datetime,
) -> HttpResponse:
    try:
        email = Email().run_validation(shown["username"])
        email_codes.request(email=email, asker=asker, client=client_of(request), at=at)
    except ValidationError:
        response = ask(request, asked, at=at, page="sign_in", problem="email_first", **shown)
        response.status_code = 400
        return response
    except Problem as problem:
        return again(request, asked, problem, at=at, page="sign_in", **shown)
    return ask(request, asked, at=at, page="email_code", **shown)


def _enter(
    request: HttpRequest,
    asked: AuthorizationRequest,
    form: dict[str, str],
    asker: email_codes.Asker,
    shown: dict[str, str],
    *,
    at: datetime,
) -> HttpResponse:
    code = form.get("code", "")[:64]
    try:
        result = email_codes.log_in(secret=asker.secret, code=code, client=client_of(request), at=at)
    except Problem as problem:
        return again(request, asked, problem, at=at, page="email_code", wrong="wrong_code", **shown)
    return go_on(request, asked, result, asker.request_token, at=at)
