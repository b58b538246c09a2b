"""How requests come in: their id, their size, their log line, and strict JSON."""

import io
import logging
import time
from collections.abc import Callable

from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from gunicorn.http.errors import ParseException

from chassis.http import errors
from chassis.operations import logs, metrics, settings, tracing

logger = logging.getLogger("chassis.access")
# Of every answer that does not say otherwise: whatever a browser takes it for, it loads, runs and frames nothing.
NO_PAGE = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})  # others are made up by callers


class RequestMiddleware:
    """Gives every request an id, refuses bodies over 64 KiB, and logs one line when it is answered.

    The caller's `X-Request-ID` is taken over when it is 8 to 64 letters, digits, dots, hyphens or underscores. The log
    line has the path but no query, because queries hold personal data.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        identifier = logs.well_formed_id(request.headers.get("X-Request-ID")) or logs.new_id()
        reset = logs.request_id.set(identifier)
        metrics.requests_in_progress.inc()
        try:
            with tracing.span(str(request.method), kind="server", parent=request.headers.get("traceparent")) as span:
                response = self._answer(request, identifier, started)
                facts = {"http.route": route_of(request), "http.response.status_code": response.status_code}
                span.rename(f"{request.method} {route_of(request)}", **facts)
            return response
        finally:
            metrics.requests_in_progress.dec()
            logs.request_id.reset(reset)

    def _answer(self, request: HttpRequest, identifier: str, started: float) -> HttpResponse:
        response = _refuse_body(request)
        if response is None:
            response = self.get_response(request)
        response["X-Request-ID"] = identifier
        response.setdefault("Content-Security-Policy", NO_PAGE)
        if "Authorization" in request.headers:  # personal: no cache gives it to somebody else (RFC 9111, §3.5)
            patch_vary_headers(response, ["Authorization"])
            response.setdefault("Cache-Control", "no-store")
        if not response.streaming and response.content:
            response.setdefault("Content-Length", str(len(response.content)))  # else it is sent in three chunks
        seconds = time.perf_counter() - started
        _count(request, response.status_code, seconds)
        logger.info(
            "request",
            extra={
                "method": request.method,
                "path": request.path,
                "status": response.status_code,
                "milliseconds": round(seconds * 1000, 1),
                "agent": request.headers.get("User-Agent", "")[:80],
            },
        )
        return response


def _count(request: HttpRequest, status: int, seconds: float) -> None:
    method = request.method if request.method in _METHODS else "other"
    metrics.requests.labels(method, route_of(request), str(status)).inc()
    metrics.request_seconds.labels(method, route_of(request)).observe(seconds)


def route_of(request: HttpRequest) -> str:
    """The pattern that the path has, such as `users-ms/users/<int:user_id>`, which says nothing of anybody."""
    match = request.resolver_match
    if match is not None:
        return str(match.route)
    return "static" if request.path.startswith(django_settings.STATIC_URL) else "unknown"


def _content_length(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def _refuse_body(request: HttpRequest) -> HttpResponse | None:
    """The answer to a request whose body is too large or cannot be read."""
    try:
        _gather_chunks(request)
    except (ParseException, OSError):  # of gunicorn, and of the connection; gunicorn closes it after the answer
        return errors.json_problem(request, 400, "The body's chunks are not well formed.")
    if _content_length(request) > settings.MAXIMUM_BODY_BYTES:
        return errors.json_problem(request, 413, errors.BodyTooLarge.detail)
    return None


def _gather_chunks(request: HttpRequest) -> None:
    """Give a body that comes in chunks its length, of which at most a byte more than is allowed is read.

    Django reads as much of a body as `Content-Length` says, and takes one without it for empty
    (https://code.djangoproject.com/ticket/35838): a PATCH would change nothing and be answered with 200.
    """
    if "HTTP_TRANSFER_ENCODING" in request.META and request.META.get("wsgi.input_terminated"):
        body = request.META["wsgi.input"].read(settings.MAXIMUM_BODY_BYTES + 1)
        request.META |= {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
        request._stream = request.META["wsgi.input"]  # type: ignore[attr-defined]
