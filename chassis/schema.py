"""How a view is described: `DEFAULT_SCHEMA_CLASS`. Apart from chassis.openapi, which is there before views are."""

from typing import Any

from drf_spectacular.openapi import AutoSchema


class Schema(AutoSchema):
    """drf-spectacular's own, which tells a list, and so its `limit` and `cursor`, by the answer that sorts first."""

    def _is_list_view(self, serializer: Any = None) -> bool:
        answers: Any = serializer or self.get_response_serializers()
        if isinstance(answers, dict):  # a pair of status and media type, as of `problems`, would sort before 200
            answers = {key: answer for key, answer in answers.items() if not isinstance(key, tuple)} or answers
        return bool(super()._is_list_view(answers))
