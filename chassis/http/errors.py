"""Error responses: `Problem`, and the translation of exceptions into `application/problem+json` (RFC 9457)."""

import logging
import math
import re
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response

from chassis.operations import certificate_errors, logs

CONTENT_TYPE = "application/problem+json"
logger = logging.getLogger(__name__)


class Problem(Exception):
    """An error that the caller can act on. Subclasses define `status` and `title`; an instance may add the detail.

    Programs recognise it by `code`, by default the name of the class, as `email_taken` for EmailTaken; a class that
    gets another name sets the old code. `errors` maps the name of a field to its errors; `headers` are added to the
    response.
    """

    status = 400
    code = "bad_request"
    title = "Bad request"
    detail: str | None = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "code" not in vars(cls):
            cls.code = _snake_case(cls.__name__)

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.detail
        self.errors = errors
        self.headers = headers or {}


def _snake_case(name: str) -> str:
    return re.sub(r"\W+|(?<=[a-z])(?=[A-Z])", "_", name).strip("_").lower()


class InvalidInput(Problem):
    """Some fields are not valid; `errors` says which, and why."""

    status = 400
    title = "Invalid input"
    detail = "One or more fields are not valid."


class BodyTooLarge(Problem):
    status = 413
    title = "Request body too large"
    detail = "The body of a request may have at most 64 KiB."


class ServiceUnavailable(Problem):
    """A dependency of this request does not answer; the caller may retry after `Retry-After` seconds."""

    status = 503
    title = "Service unavailable"

    def __init__(self, detail: str | None = None, *, retry_after_seconds: int = 2) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_seconds)})


class TooManyRequests(Problem):
    """The caller may retry after `Retry-After` seconds."""

    status = 429
    title = "Too many requests"
    detail = "There were too many requests. Try again later."

    def __init__(self, *, retry_after_seconds: float) -> None:
        super().__init__(headers={"Retry-After": str(max(1, math.ceil(retry_after_seconds)))})


def body(
    *, status: int, code: str, title: str, detail: str | None, instance: str, errors: Any = None
) -> dict[str, Any]:
    """The members of a problem document, in the order of RFC 9457, §3.1, and those of its own (§3.2).

    `error_codes` has the shape of `errors`, with a code instead of each text.
    """
    members = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail or title,
        "instance": instance,
        "code": code,
        "request_id": logs.request_id.get(),
    }
    return members | ({"errors": errors, "error_codes": _codes(errors)} if errors else {})


def _codes(errors: Any) -> Any:
    """Of texts without a code, such as those that a service raises itself, `invalid`."""
    if isinstance(errors, dict):
        return {name: _codes(each) for name, each in errors.items()}
    if isinstance(errors, list | tuple):
        return [_codes(each) for each in errors]
    return getattr(errors, "code", None) or "invalid"


def answer_problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """Django REST framework's exception handler. None for unexpected exceptions, which Django logs (handler500)."""
    problem = as_problem(error)
    if problem is None:
        return None
    return Response(
        body(
            status=problem.status,
            code=problem.code,
            title=problem.title,
            detail=problem.detail,
            instance=context["request"].path,
            errors=problem.errors,
        ),
        status=problem.status,
        headers=problem.headers,
        content_type=CONTENT_TYPE,
    )


def as_problem(error: Exception) -> Problem | None:
    """The Problem that corresponds to `error`; None for an unexpected exception."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    if isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if isinstance(error, OperationalError | InterfaceError):
        reason = certificate_errors.explain(error) or type(error).__name__
        logger.warning("the database does not answer", extra={"reason": reason})
        return ServiceUnavailable("The database does not answer.")
    if not isinstance(error, exceptions.APIException):
        return None
    if isinstance(error, exceptions.ValidationError):
        detail: Any = error.detail
        return InvalidInput(errors=detail if isinstance(detail, dict) else {"non_field_errors": detail})
    problem = Problem(str(error.detail))
    problem.status = error.status_code
    problem.code = str(getattr(error.detail, "code", error.default_code))
    problem.title = HTTPStatus(error.status_code).phrase
    if header := getattr(error, "auth_header", None):
        problem.headers["WWW-Authenticate"] = header
    if wait := getattr(error, "wait", None):
        problem.headers["Retry-After"] = str(int(wait) + 1)
    return problem


def json_problem(
    request: HttpRequest, status: int, detail: str | None = None, *, code: str | None = None
) -> JsonResponse:
    """A problem document for errors outside of Django REST framework's views."""
    title = HTTPStatus(status).phrase
    code = code or _snake_case(title)
    members = body(status=status, code=code, title=title, detail=detail, instance=request.path)
    return JsonResponse(members, status=status, content_type=CONTENT_TYPE)


def bad_request(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Django's handler400."""
    detail = "The request is not well formed." if isinstance(exception, SuspiciousOperation) else None
    return json_problem(request, 400, detail)


def permission_denied(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Django's handler403."""
    return json_problem(request, 403, code=exceptions.PermissionDenied.default_code)


def not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Django's handler404."""
    return json_problem(request, 404, "There is nothing at this path.")


def server_error(request: HttpRequest) -> JsonResponse:
    """Django's handler500; the log has the exception under the same request id."""
    return json_problem(request, 500, "The request failed through no fault of yours. The failure has been logged.")
