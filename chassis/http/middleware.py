"""What happens to every request: its id, its limits, its trace, its metrics and its log line."""

import io
import logging
import re
import time
from collections.abc import Callable

from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from gunicorn.http.errors import ParseException

from chassis.http import errors, load_shedding, rate_limit_headers, request_metrics
from chassis.operations import gunicorn, logs, settings, tracing

logger = logging.getLogger("chassis.access")
# Sent unless a view sets its own: even if a browser renders the response, it loads, runs and frames nothing.
NO_PAGE = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})  # callers may invent others
# Answered under overload too, when liveness and metrics matter most.
_ALWAYS_ANSWERED = re.compile(r"/[a-z-]+/(healthcheck|ready|metrics)")
OVERLOAD_LOG_SECONDS = 5.0


class RequestMiddleware:
    """Gives every request an id, rejects overload and bodies over 64 KiB, and logs one line per response.

    The caller's `X-Request-ID` is kept when it is 8 to 64 letters, digits, dots, hyphens or underscores. The log line
    has the path without the query, which may contain personal data.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._overload_logged_at = -float("inf")

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        identifier = logs.well_formed_id(request.headers.get("X-Request-ID")) or logs.new_id()
        reset = logs.request_id.set(identifier)
        try:
            if load_shedding.is_overloaded() and not _ALWAYS_ANSWERED.fullmatch(request.path):
                return self._shed(request, identifier)
            request_metrics.requests_in_progress.inc()
            try:
                with tracing.span(
                    str(request.method), kind="server", parent=request.headers.get("traceparent")
                ) as span:
                    response = self._answer(request, identifier, started)
                    facts = {"http.route": route_of(request), "http.response.status_code": response.status_code}
                    span.rename(f"{request.method} {route_of(request)}", **facts)
                return response
            finally:
                request_metrics.requests_in_progress.dec()
        finally:
            logs.request_id.reset(reset)

    def _shed(self, request: HttpRequest, identifier: str) -> HttpResponse:
        """Counted apart from the requests that are handled, and logged only every OVERLOAD_LOG_SECONDS."""
        request_metrics.rejected_requests.inc()
        if (now := time.monotonic()) - self._overload_logged_at > OVERLOAD_LOG_SECONDS:
            self._overload_logged_at = now
            logger.warning("overloaded: requests are rejected", extra={"waiting": gunicorn.WAITING})
        response = errors.json_problem(request, 503, "The service is overloaded; try again soon.")
        response["Retry-After"] = "1"
        response["X-Request-ID"] = identifier
        return response

    def _answer(self, request: HttpRequest, identifier: str, started: float) -> HttpResponse:
        response = _reject_body(request)
        if response is None:
            with rate_limit_headers.collected() as shown:
                response = self.get_response(request)
            shown.set_headers(response)
        response["X-Request-ID"] = identifier
        response.setdefault("Content-Security-Policy", NO_PAGE)
        if "Authorization" in request.headers:  # personal, so not for shared caches (RFC 9111, §3.5)
            patch_vary_headers(response, ["Authorization"])
            response.setdefault("Cache-Control", "no-store")
        if not response.streaming and response.content:
            response.setdefault("Content-Length", str(len(response.content)))  # avoids a chunked response
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
    request_metrics.requests.labels(method, route_of(request), str(status)).inc()
    request_metrics.request_seconds.labels(method, route_of(request)).observe(seconds)


def route_of(request: HttpRequest) -> str:
    """The URL pattern of the path, such as `users-ms/users/<int:user_id>`, which contains no personal data."""
    match = request.resolver_match
    if match is not None:
        return str(match.route)
    return "static" if request.path.startswith(django_settings.STATIC_URL) else "unknown"


def _content_length(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def _reject_body(request: HttpRequest) -> HttpResponse | None:
    """The response to a request whose body is too large or malformed; None for others."""
    try:
        is_chunked = _read_chunks(request)
    except (ParseException, OSError):  # from gunicorn, and from the connection; gunicorn closes it afterwards
        return errors.json_problem(request, 400, "The body's chunks are not well formed.")
    # A longer body is read by its view, after authorization; chunks were read above, before it.
    limit = settings.MAXIMUM_BODY_BYTES if is_chunked else _limit(request.path)
    if _content_length(request) > limit:
        detail = f"The body of a request may have at most {limit // 1024} KiB."
        return errors.json_problem(request, 413, detail, code=errors.BodyTooLarge.code)
    return None


def _limit(path: str) -> int:
    """The bytes that a body may have: by its path, or by that of the collection to which it belongs."""
    limits: dict[str, int] = django_settings.BODY_LIMITS
    collection = path.rpartition("/")[0]
    return limits.get(path) or limits.get(collection, settings.MAXIMUM_BODY_BYTES)


def _read_chunks(request: HttpRequest) -> bool:
    """Read a chunked body, up to one byte more than is allowed, and set its Content-Length. False for other bodies.

    Django treats a body without Content-Length as empty (https://code.djangoproject.com/ticket/35838): a PATCH would
    change nothing and still return 200.
    """
    if "HTTP_TRANSFER_ENCODING" in request.META and request.META.get("wsgi.input_terminated"):
        body = request.META["wsgi.input"].read(settings.MAXIMUM_BODY_BYTES + 1)
        request.META |= {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
        request._stream = request.META["wsgi.input"]  # type: ignore[attr-defined]
        return True
    return False
