"""The pages that people see: plain HTML forms, which work without their scripts, with a policy of their own."""

import base64
import hashlib
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.http import HttpRequest, HttpResponse
from django.template import loader

from auth_ms import uris
from auth_ms.provider import texts
from auth_ms.provider.services.authorization import AuthorizationResponse

FRAME_SECONDS = 3  # for which the page of a logout waits for the clients' frames
# Sends the form of `response_mode=form_post`. Without scripts, there is a button.
SUBMIT = "document.forms[0].submit()"
_SUBMIT_HASH = base64.b64encode(hashlib.sha256(SUBMIT.encode()).digest()).decode()
_PASSKEY = "script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'; trusted-types 'none';"
_EMAIL_CODE = "script-src 'self'; require-trusted-types-for 'script'; trusted-types 'none';"
_SCRIPTS = {"form_post": f"script-src 'sha256-{_SUBMIT_HASH}';", "email_code": _EMAIL_CODE}
_SCRIPTS |= dict.fromkeys(("sign_in", "second_factor", "enrolment"), _PASSKEY)


def show(
    request: HttpRequest,
    page: str,
    *,
    status: int = 200,
    leads_to: str = "",
    locales: str = "",
    headers: dict[str, str] | None = None,
    **values: Any,
) -> HttpResponse:
    """A page in the user's language.

    `leads_to` is where the browser may go after its form: Chromium applies `form-action` to redirects too, and a client
    may redirect further, so any https address is allowed beside it.
    """
    language = texts.language_of(wanted=locales, accepted=request.headers.get("Accept-Language", ""))
    known = texts.TEXTS[language]
    context = {"t": known, "language": language, **values}
    context |= {name: known[values[name]] for name in ("problem", "reason") if name in values}
    context["scopes"] = [known[scope] for scope in values.get("scopes", ())]
    html = loader.render_to_string(f"provider/{page}.html", context)
    response = HttpResponse(html, status=status, headers={"Cache-Control": "no-store", **(headers or {})})
    frames, logo = values.get("frames", ()), values.get("logo", "")
    response["Content-Security-Policy"] = _policy(leads_to, _SCRIPTS.get(page, ""), frames=frames, logo=logo)
    response["Referrer-Policy"] = "no-referrer"
    return response


def _policy(leads_to: str, scripts: str, *, frames: Iterable[str], logo: str) -> str:
    parts = urlsplit(leads_to)
    target = f" https: {parts.scheme}:{'//' + parts.netloc if parts.netloc else ''}" if leads_to else ""
    origins = sorted({uris.origin_of(frame) for frame in frames})
    framed = f" frame-src {' '.join(origins)};" if origins else ""
    image = f" {uris.origin_of(logo)}" if logo else ""
    return (
        f"default-src 'none'; style-src 'self'; img-src 'self'{image}; {scripts}{framed} form-action 'self'{target};"
        " base-uri 'none'; frame-ancestors 'none'"
    )


def error(
    request: HttpRequest, reason: str, *, status: int = 400, locales: str = "", headers: dict[str, str] | None = None
) -> HttpResponse:
    """A page for what cannot be sent back to the client; `reason` is the key of a text."""
    return show(request, "error", status=status, locales=locales, headers=headers, reason=reason)


def answer(request: HttpRequest, response: AuthorizationResponse) -> HttpResponse:
    """The browser's way back to the client: a redirect, or a form that is sent at once. A device needs none."""
    if not response.redirect_uri:
        return show(request, "device_done", reason="device_denied" if "error" in response.members else "device_allowed")
    if response.response_mode == "form_post":
        return show(
            request,
            "form_post",
            leads_to=response.redirect_uri,
            target=response.redirect_uri,
            members=response.members,
            script=SUBMIT,
        )
    return redirect(response.redirect_uri, response.members)


def signed_out(request: HttpRequest, *, frames: list[str], target: str, locales: str) -> HttpResponse:
    """The end of a logout: loads `frames`, then goes on to `target`, if any, after FRAME_SECONDS, or by a link."""
    return show(request, "signed_out", locales=locales, frames=frames, target=target, seconds=FRAME_SECONDS)


def redirect(uri: str, members: dict[str, str]) -> HttpResponse:
    """A redirect that keeps the query of `uri`; by 303, so that no form with a password is repeated elsewhere."""
    return HttpResponse(status=303, headers={"Location": with_query(uri, members), "Cache-Control": "no-store"})


def with_query(uri: str, members: dict[str, str]) -> str:
    """`uri` with further parameters."""
    query = urlencode(members)
    separator = "&" if urlsplit(uri).query else "?"
    return f"{uri}{separator}{query}" if query else uri
