"""What the forms of the sign-in pages, and their script, send: passwords, second factors, passkeys and decisions.

Each proves by its token, and by the browser's cookie, whose authorization request it is about.
"""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed

from auth_ms import users_client
from auth_ms.external.problems import IdentityTaken, ProviderNotFound
from auth_ms.external.services import identities
from auth_ms.factors import problems as factor_problems
from auth_ms.factors.problems import SecondFactorBlocked
from auth_ms.factors.services import offer, passkeys, second_factors
from auth_ms.provider import pages
from auth_ms.provider.errors import AuthorizationError, NotForClient
from auth_ms.provider.models import AuthorizationRequest
from auth_ms.provider.services import authorization, consents
from auth_ms.provider.views.forms import read
from auth_ms.provider.views.pages import Page, ask, ask_link, ask_organization, finish
from auth_ms.sessions import cookies, page_cookies
from auth_ms.sessions import services as sessions
from auth_ms.sessions.models import Session
from auth_ms.sign_in.services import admission, enrolment, login
from chassis.http import strict_json
from chassis.http.client_address import client_of
from chassis.http.errors import Problem, ServiceUnavailable, TooManyRequests
from chassis.security.principal import is_recent

_TEXTS: dict[type[Problem], str] = {
    login.WrongCredentials: "wrong_credentials",
    enrolment.EnrolmentEnded: "enrolment_ended",
    factor_problems.WrongCode: "wrong_code",
    passkeys.PasskeyRejected: "passkey_failed",
    passkeys.PasskeyAlreadyRegistered: "passkey_failed",
    SecondFactorBlocked: "blocked",
    admission.VerifyEmailFirst: "verify_first",
    TooManyRequests: "too_many",
    ServiceUnavailable: "unavailable",
}
_CODES = ("totp", "recovery_code")
_PASSKEY = "passkey"


class Interaction(Page):
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        at = timezone.now()
        form, asked, token = _read(request, at=at)
        if "cancel" in form:
            raise AuthorizationError("access_denied", "The user cancelled.", parameters=asked.parameters)
        steps: dict[str, Callable[..., HttpResponse]] = {
            "sign_in": _sign_in,
            "second_factor": _second_factor,
            "passkey": _passkey,
            "address": _prove_address,
            "enrolment": _enrol,
            "enrolled": _enrolled,
            "organization": _organization,
            "consent": _consent,
            "link": _link,
        }
        step = steps.get(form.get("step", ""))
        if step is None:
            raise NotForClient("malformed")
        return step(request, asked, form, token, at=at)


class PasskeyOptions(Page):
    """For the pages' script: the options of `navigator.credentials.get()` in JSON, or an error as a page."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        at = timezone.now()
        form, _, token = _read(request, at=at)
        try:
            user_id = login.find_pending(mfa_token=form["mfa_token"], at=at).user_id if "mfa_token" in form else None
            options = passkeys.authentication_options(
                user_id=user_id, client=client_of(request), at=at, ceremony=_ceremony(form, token)
            )
        except Problem as problem:
            return pages.error(request, _reason(problem), status=_status(problem), headers=problem.headers)
        return JsonResponse(options, headers={"Cache-Control": "no-store"})


def _read(request: HttpRequest, *, at: datetime) -> tuple[dict[str, str], AuthorizationRequest, str]:
    """The form, its authorization request and the token of that. Raises NotForClient and OAuthError."""
    form, _ = read(request.POST)
    token = form.get("request", "")
    return form, authorization.find_kept(token, browser=page_cookies.browser_of(request), at=at), token


def _ceremony(form: dict[str, str], token: str) -> str:
    """Binds a passkey's challenge to the authorization request, and to the login that waits for a second factor."""
    return f"{token} {form.get('mfa_token', '')}"


def _sign_in(
    request: HttpRequest, asked: AuthorizationRequest, form: dict[str, str], token: str, *, at: datetime
) -> HttpResponse:
    username, password = form.get("username", "")[:254], form.get("password", "")[:200]
    try:
        result = login.log_in(username=username, password=password, client=client_of(request), at=at)
    except Problem as problem:
        return again(request, asked, problem, at=at, page="sign_in", token=token, username=username)
    return go_on(request, asked, result, token, at=at)


def go_on(
    request: HttpRequest,
    asked: AuthorizationRequest,
    result: sessions.TokenPair | login.Pending,
    token: str,
    *,
    at: datetime,
) -> HttpResponse:
    """Ask for the second factor, or to add one, or go on with the new session."""
    if isinstance(result, enrolment.EnrolmentRequired):
        return ask(request, asked, at=at, page="address", token=token, enrolment_token=result.enrolment_token)
    if isinstance(result, login.SecondFactorRequired):
        values = _second_factors(result.mfa_token, result.methods)
        return ask(request, asked, at=at, page="second_factor", token=token, **values)
    return signed_in(request, asked, result, token, at=at)


def _second_factors(mfa_token: str, methods: list[str]) -> dict[str, Any]:
    """What the page of the second factor shows."""
    codes = [method for method in _CODES if method in methods]
    return {"mfa_token": mfa_token, "methods": codes, "passkey": _PASSKEY in methods}


def _second_factor(
    request: HttpRequest, asked: AuthorizationRequest, form: dict[str, str], token: str, *, at: datetime
) -> HttpResponse:
    method = form.get("method", "")
    if method not in _CODES:
        raise NotForClient("malformed")
    return _complete(request, asked, form, token, at=at, method=method, code=form.get("code", "")[:64])


def _passkey(
    request: HttpRequest, asked: AuthorizationRequest, form: dict[str, str], token: str, *, at: datetime
) -> HttpResponse:
    """A passkey as the second factor of a login that waits for one, or instead of the password."""
    credential = _credential(form)
    if "mfa_token" in form:
        return _complete(request, asked, form, token, at=at, method=_PASSKEY, credential=credential)
    try:
        pair = login.log_in_with_passkey(
            credential=credential, client=client_of(request), at=at, ceremony=_ceremony(form, token)
        )
    except Problem as problem:
        return again(request, asked, problem, at=at, page="sign_in", token=token, wrong="wrong_passkey")
    return signed_in(request, asked, pair, token, at=at)


def _credential(form: dict[str, str]) -> Any:
    try:
        return strict_json.loads(form.get("credential", "").encode())
    except ValueError as error:
        raise NotForClient("malformed") from error


def _complete(
    request: HttpRequest,
    asked: AuthorizationRequest,
    form: dict[str, str],
    token: str,
    *,
    at: datetime,
    method: str,
    **proof: Any,
) -> HttpResponse:
    """Complete a login with `proof` of its second factor, or ask again while it waits for one."""
    mfa_token = form.get("mfa_token", "")
    wrong = "wrong_passkey" if method == _PASSKEY else "wrong_code"
    try:
        pair = login.complete_log_in(
            mfa_token=mfa_token,
            method=method,
            client=client_of(request),
            at=at,
            ceremony=_ceremony(form, token),
            **proof,
        )
    except Problem as problem:
        methods = _methods_left(mfa_token, at=at)
        page = {"page": "second_factor", **_second_factors(mfa_token, methods)} if methods else {"page": "sign_in"}
        return again(request, asked, problem, at=at, token=token, wrong=wrong, **page)
    return signed_in(request, asked, pair, token, at=at)


def _prove_address(
    request: HttpRequest, asked: AuthorizationRequest, form: dict[str, str], token: str, *, at: datetime
) -> HttpResponse:
    """With the mailed code, show what a second factor begins with."""
    enrolment_token, client = form.get("enrolment_token", ""), client_of(request)
    shown: dict[str, Any] = {"token": token, "enrolment_token": enrolment_token}
    try:
        code = form.get("code", "")[:64]
        begun = enrolment.prove_address(enrolment_token=enrolment_token, code=code, client=client, at=at)
    except enrolment.EnrolmentEnded as problem:
        return again(request, asked, problem, at=at, page="sign_in", token=token)
    except Problem as problem:
        return again(request, asked, problem, at=at, page="address", **shown)
    shown["passkey"] = json.dumps(begun.passkey) if begun.passkey else ""
    return ask(request, asked, at=at, page="enrolment", begun=begun.totp, totp=begun.totp is not None, **shown)


def _enrol(
    request: HttpRequest, asked: AuthorizationRequest, form: dict[str, str], token: str, *, at: datetime
) -> HttpResponse:
    """Add a second factor, and go on with the session that waited for it, by the page of the recovery codes."""
    proof: dict[str, Any] = {"factor": offer.TOTP, "code": form.get("code", "")[:64]}
    if "credential" in form:
        name = "".join(filter(str.isprintable, form.get("name", "")))[:100]
        proof = {"factor": offer.PASSKEYS, "credential": _credential(form), "name": name or "Passkey"}
    enrolment_token = form.get("enrolment_token", "")
    try:
        pair, codes = enrolment.complete(enrolment_token=enrolment_token, client=client_of(request), at=at, **proof)
    except (factor_problems.WrongCode, TooManyRequests) as problem:  # of the app that is set up already
        shown = {"page": "enrolment", "token": token, "enrolment_token": enrolment_token, "totp": True}
        return again(request, asked, problem, at=at, **shown)
    except Problem as problem:
        return again(request, asked, problem, at=at, page="sign_in", token=token)
    return signed_in(request, asked, pair, token, at=at, codes=codes)


def _enrolled(
    request: HttpRequest, asked: AuthorizationRequest, form: dict[str, str], token: str, *, at: datetime
) -> HttpResponse:
    """Go on after the recovery codes were shown."""
    return _go_on_signed_in(request, asked, _session_of_form(request, asked, form, at=at), token, at=at)


def _methods_left(mfa_token: str, *, at: datetime) -> list[str]:
    """The methods that may still complete a login; none when it has to begin again."""
    try:
        pending = login.find_pending(mfa_token=mfa_token, at=at)
        usable = pending.attempts < login.PENDING_ATTEMPTS
        return second_factors.methods_of(user_id=pending.user_id) if usable else []
    except (login.WrongCredentials, SecondFactorBlocked):
        return []


def _reason(problem: Problem, *, wrong: str = "wrong_credentials") -> str:
    """The key of the text that explains a problem; `wrong` is that of what was presented."""
    texts = _TEXTS | {login.WrongCredentials: wrong}
    return next((text for kind, text in texts.items() if isinstance(problem, kind)), "unavailable")


def _status(problem: Problem) -> int:
    """401 would need a challenge, so a wrong password is 403."""
    return 403 if problem.status == 401 else problem.status


def again(
    request: HttpRequest,
    asked: AuthorizationRequest,
    problem: Problem,
    *,
    at: datetime,
    wrong: str = "wrong_credentials",
    **values: Any,
) -> HttpResponse:
    """The same page with what is wrong."""
    response = ask(request, asked, at=at, problem=_reason(problem, wrong=wrong), **values)
    response.status_code = _status(problem)
    if "Retry-After" in problem.headers:
        response["Retry-After"] = problem.headers["Retry-After"]
    return response


def signed_in(
    request: HttpRequest,
    asked: AuthorizationRequest,
    pair: sessions.TokenPair,
    token: str,
    *,
    at: datetime,
    codes: Sequence[str] = (),
) -> HttpResponse:
    """Go on with the new session, which the console shares; the access token of its pair never leaves this process.

    New recovery `codes` are shown first.
    """
    session = pair.session
    if authorization.needs_sign_in(asked, session, at=at):
        raise NotForClient("expired")
    if codes:
        response = ask(request, asked, at=at, page="recovery_codes", token=token, session_id=session.id, codes=codes)
    else:
        response = _go_on_signed_in(request, asked, session, token, at=at)
    page_cookies.set_session(response, session.id, at=at)
    cookies.set_refresh_token(response, pair, secure=page_cookies.is_secure())
    return response


def _go_on_signed_in(
    request: HttpRequest, asked: AuthorizationRequest, session: Session, token: str, *, at: datetime
) -> HttpResponse:
    identity = authorization.identity_of(asked)
    if identity is not None:
        return ask_link(request, asked, session, identity, at=at, token=token)
    return finish(request, asked, session, at=at, token=token)


def _session_of_form(
    request: HttpRequest, asked: AuthorizationRequest, form: dict[str, str], *, at: datetime
) -> Session:
    """The session for which a page was shown. Raises NotForClient when the user of this browser has changed since."""
    session = page_cookies.session_of(request, at=at)
    if session is None or form.get("session") != str(session.id) or authorization.needs_sign_in(asked, session, at=at):
        raise NotForClient("expired")
    return session


def _session_in_person(
    request: HttpRequest, asked: AuthorizationRequest, form: dict[str, str], *, at: datetime
) -> Session:
    """As `_session_of_form`, for what nobody may do who only acts as the user."""
    session = _session_of_form(request, asked, form, at=at)
    if session.is_impersonated:
        raise NotForClient("expired")
    return session


def _link(
    request: HttpRequest, asked: AuthorizationRequest, form: dict[str, str], token: str, *, at: datetime
) -> HttpResponse:
    """Link the identity that another provider has proven to the account of this browser, if its user allows it."""
    session = _session_in_person(request, asked, form, at=at)
    identity = authorization.identity_of(asked)
    if identity is not None and form.get("decision") == "allow":
        if not is_recent(session.created_at.timestamp(), at=at):
            raise NotForClient("sign_in_again")
        try:
            identities.link(identity, session=session, client=client_of(request), at=at)
        except (AuthenticationFailed, users_client.UserNotFound) as error:
            raise NotForClient("expired") from error
        except (IdentityTaken, users_client.EmailNotVerified, ProviderNotFound) as problem:
            reason = {IdentityTaken: "identity_taken", users_client.EmailNotVerified: "email_not_verified"}
            values = {"problem": reason.get(type(problem), "external_failed")}
            response = ask_link(request, asked, session, identity, at=at, token=token, **values)
            response.status_code = problem.status
            return response
    if identity is not None:
        authorization.keep_identity(asked, None)
    return finish(request, asked, session, at=at, token=token)


def _organization(
    request: HttpRequest, asked: AuthorizationRequest, form: dict[str, str], token: str, *, at: datetime
) -> HttpResponse:
    """Go on with the organization that the user has chosen, of those that it is a member of now."""
    session = _session_of_form(request, asked, form, at=at)
    found = authorization.organizations_to_choose(asked, session)
    chosen = [each for each in found if str(each.organisation_id) == form.get("organization")]
    if found and not chosen:
        return ask_organization(request, asked, session, found, at=at, token=token)
    for membership in chosen:
        authorization.choose_organization(asked, membership, session=session)
    return finish(request, asked, session, at=at, token=token)


def _consent(
    request: HttpRequest, asked: AuthorizationRequest, form: dict[str, str], token: str, *, at: datetime
) -> HttpResponse:
    session = _session_in_person(request, asked, form, at=at)
    if form.get("decision") != "allow":
        raise AuthorizationError("access_denied", "The user did not consent.", parameters=asked.parameters)
    if found := authorization.organizations_to_choose(asked, session):  # another one since the page was shown
        return ask_organization(request, asked, session, found, at=at, token=token)
    consents.give(
        user_id=session.user_id,
        oauth_client=asked.client,
        scopes=authorization.scopes_to_consent(asked),
        resources=asked.parameters["resources"],
        client=client_of(request),
        at=at,
    )
    return pages.answer(request, authorization.grant(asked, session, client=client_of(request), at=at))
