"""How OpenAPI documents describe views (`DEFAULT_SCHEMA_CLASS`)."""

from typing import Any

from drf_spectacular.drainage import set_override
from drf_spectacular.openapi import AutoSchema

from chassis.security import authentication, openapi_authentication  # noqa: F401 - registers the schemes

# Its subclasses differ in what they check live; to callers they are one scheme.
set_override(authentication.BearerAuthentication, "suppress_collision_warning", True)


class Schema(AutoSchema):
    """drf-spectacular's own, which takes a view for a list, with `limit` and `cursor`, by its first response."""

    def _is_list_view(self, serializer: Any = None) -> bool:
        answers: Any = serializer or self.get_response_serializers()
        if isinstance(answers, dict):  # keys of `problems` are pairs of status and media type and would sort before 200
            answers = {key: answer for key, answer in answers.items() if not isinstance(key, tuple)} or answers
        return bool(super()._is_list_view(answers))
