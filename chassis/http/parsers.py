"""Content negotiation: strict JSON in, JSON out."""

from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser

from chassis.http import errors, strict_json
from chassis.operations import settings


class StrictJSONParser(BaseParser):
    """Parses request bodies with `strict_json`.

    Raises ParseError (400), or BodyTooLarge (413) for a body over `maximum_bytes`.
    """

    media_type = "application/json"
    maximum_bytes = settings.MAXIMUM_BODY_BYTES  # with more, settings.BODY_LIMITS has the path too

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        raw = stream.read(self.maximum_bytes + 1)
        if len(raw) > self.maximum_bytes:
            raise errors.BodyTooLarge
        try:
            return strict_json.loads(raw)
        except ValueError as error:
            raise ParseError(f"The body is not valid JSON: {error}") from error


class AlwaysJSON(BaseContentNegotiation):
    """Responds with JSON whatever `Accept` says, as RFC 9110 §12.5.1 allows."""

    def select_parser(self, request: Any, parsers: Any) -> Any:
        content_type = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == content_type), None)

    def select_renderer(self, request: Any, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type
