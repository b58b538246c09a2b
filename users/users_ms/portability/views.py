"""A user's export, and the import for admins; operators use `make import` and `make export`."""

import logging
from typing import Any

from django.http import UnreadablePostError
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chassis.http.client_address import client_of
from chassis.http.openapi import problems
from chassis.security import permissions
from users_ms.accounts.events import Origin
from users_ms.portability import examples, rows, selectors, serializers, services

logger = logging.getLogger(__name__)


class Export(APIView):
    impersonated_methods: frozenset[str] = frozenset()  # of the user alone

    @extend_schema(
        operation_id="export_user",
        responses={200: serializers.ExportOutput, **problems(401, 403, 404)},
        examples=[examples.EXPORT],
        tags=["users"],
    )
    def get(self, request: Request) -> Response:
        """All that users-ms knows of the user whose token this is (GDPR, articles 15 and 20), but no password hash."""
        known = selectors.export_of(user_id=request.user.user_id, at=timezone.now())
        headers = {"Cache-Control": "no-store", "Content-Disposition": 'attachment; filename="users-ms.json"'}
        return Response(serializers.ExportOutput(known).data, headers=headers)


class NdjsonParser(BaseParser):
    """The rows of the body, which are read while they are imported."""

    media_type = rows.NDJSON

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        size = int(stream.META.get("CONTENT_LENGTH") or 0)
        return rows.read(stream, media_type=self.media_type, size=size)


class CsvParser(NdjsonParser):
    media_type = rows.CSV


def _origin(request: Request) -> Origin:
    client, admin = client_of(request), request.user
    return Origin(
        actor_id=admin.user_id, session_id=admin.session_id, address=client.address, user_agent=client.user_agent
    )


class Imports(APIView):
    permission_classes = [permissions.IsAdmin]
    parser_classes = [NdjsonParser, CsvParser]

    @extend_schema(
        operation_id="import_users",
        request={rows.NDJSON: OpenApiTypes.ANY, rows.CSV: OpenApiTypes.ANY},  # what lines contain, the report says
        responses={200: serializers.ReportOutput, **problems(400, 401, 403, 413, 415)},
        examples=[examples.LINES, examples.CSV_LINES, examples.REPORT],
        tags=["users"],
    )
    def post(self, request: Request) -> Response:
        """Import users of another system with their password hashes: one a line, up to 4 MiB. Only for admins, in a
        session that has just begun.

        A line is imported once for each `external_id`: send the same lines again when an answer is lost. A line that
        cannot be imported is in the report, and the others are imported. No event about them is published, and no
        mail is sent; the audit log has how many there were.
        """
        at = timezone.now()
        if not request.user.has_just_signed_in(at=at):
            raise permissions.SignInAgain  # a stolen token must not bring in accounts with verified addresses
        try:
            report = services.import_users(iter(request.data), origin=_origin(request), at=at)
        except UnreadablePostError as error:
            raise ParseError("The body is not complete.") from error
        facts = {"accepted": report.accepted, "unchanged": report.unchanged, "refused": report.refused}
        logger.info("users imported", extra=facts | {"actor_id": request.user.user_id})
        return Response(serializers.ReportOutput(report).data)
