"""Request headers of the user routes: parsing and OpenAPI descriptions."""

import re

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def _header(name: str, description: str, schema: dict[str, object], example: str) -> OpenApiParameter:
    return OpenApiParameter(
        name,
        schema,
        OpenApiParameter.HEADER,
        description=description,
        examples=[OpenApiExample(example, value=example)],
    )


IDEMPOTENCY_KEY = _header(
    "Idempotency-Key",
    "A name that the caller makes up for this sign-up, such as a UUID. The same key with the same body gets the same "
    "answer for a day, and opens one account.",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[!-~]{1,255}$"},
    "8e03978e-40d5-43e8-bc93-6894a57f9324",
)
IF_NONE_MATCH = _header("If-None-Match", "The `ETag` of the version the caller has.", {"type": "string"}, '"4711.3"')
NOT_MODIFIED = OpenApiResponse(description="The caller has this version.")


def idempotency_key(request: Request) -> str | None:
    """The `Idempotency-Key` of the request, if any. Raises ValidationError."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        raise ValidationError({"Idempotency-Key": ["Must be 1 to 255 visible ASCII characters."]})
    return key
