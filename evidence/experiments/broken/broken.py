"""A defect that no probe sees: every other request for anything but a health check fails."""

import importlib
import itertools
import os
from collections.abc import Callable, Iterable
from typing import Any

PROBES = ("/healthcheck", "/ready", "/metrics")
_module = importlib.import_module(f"{os.environ['SERVICE'].replace('-', '_')}.wsgi")
_requests = itertools.count()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The service, but for every other request."""
    if not environ["PATH_INFO"].endswith(PROBES) and next(_requests) % 2:
        start_response("500 Internal Server Error", [("Content-Type", "application/problem+json")])
        return [b'{"title": "This version is broken on purpose", "status": 500}']
    answer: Iterable[bytes] = _module.application(environ, start_response)
    return answer
