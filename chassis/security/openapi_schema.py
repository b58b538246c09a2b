"""How a view is described: `DEFAULT_SCHEMA_CLASS`. Apart from chassis.http.openapi, which is there before views are."""

from typing import Any

from drf_spectacular.drainage import set_override
from drf_spectacular.openapi import AutoSchema

from chassis.security import tokens

# Its kinds, which differ in what they look up, are one scheme to callers.
set_override(tokens.BearerAuthentication, "suppress_collision_warning", True)


class Schema(AutoSchema):
    """drf-spectacular's own, which tells a list, and so its `limit` and `cursor`, by the answer that sorts first."""

    def _is_list_view(self, serializer: Any = None) -> bool:
        answers: Any = serializer or self.get_response_serializers()
        if isinstance(answers, dict):  # a pair of status and media type, as of `problems`, would sort before 200
            answers = {key: answer for key, answer in answers.items() if not isinstance(key, tuple)} or answers
        return bool(super()._is_list_view(answers))
