"""Who may call what: every operation that a service publishes, by five kinds of callers.

A service's tests declare a matrix: by operation id, the status that each of CALLERS gets. A request with a body sends
`{}`, so that 400 means: authorized, and then rejected for its content.
"""

from functools import cache
from typing import Any

from django.test import Client

CALLERS = ["anonymous", "user", "other", "admin", "service"]
ACTOR = {"act": {"sub": "1"}, "auth_time": None}  # the claims of a token with which an admin acts as the user
OPEN = [200, 200, 200, 200, 200]
OPEN_BODY = [400, 400, 400, 400, 400]
OWN = [401, 200, 200, 200, 401]  # each caller's own
ADMIN = [401, 403, 403, 200, 401]
SERVICE = [401, 401, 401, 401, 400]
Operation = tuple[str, str, bool]  # method, path, whether it has a body


@cache
def operations(service: str) -> dict[str, Operation]:
    """By operation id: all operations in the internal OpenAPI document of `service`, such as users-ms."""
    paths = Client().get(f"/{service}/internal/openapi.json").json()["paths"]
    return {
        operation["operationId"]: (method.upper(), path, "requestBody" in operation)
        for path, methods in paths.items()
        for method, operation in methods.items()
    }


def call(client: Client, operation: Operation, *, query: str = "", **values: Any) -> Any:
    """The answer to an operation; `values` fill in the placeholders of its path."""
    method, path, has_body = operation
    data, content_type = ("{}", "application/json") if has_body else ("", "application/octet-stream")
    answer: Any = client.generic(method, path.format(**values), data, content_type, QUERY_STRING=query)
    return answer
