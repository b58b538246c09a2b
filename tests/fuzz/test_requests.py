"""Reproducible requests that schemathesis generates from the OpenAPI documents; `make fuzz` sends many more.

They change passwords and delete users, so no other test may follow on the same stack.
"""

import json
import os
from contextlib import contextmanager

import pytest

from evidence.fuzz import generated_requests
from evidence.harness.local_server import QuietHandler, serving

EXAMPLES = 3
PHASES = ("examples", "coverage", "fuzzing")


@pytest.mark.parametrize("service", ["users", "auth", "notification"])
def test_every_answer_is_documented_and_none_is_an_error(stack, service, tmp_path):
    url = f"{getattr(stack, service)}/{service}-ms/internal/openapi.json"

    result = generated_requests.send(url, examples=EXAMPLES, folder=tmp_path, variables=dict(os.environ), phases=PHASES)

    assert result.passed, result.output
    assert result.failures == result.server_errors == result.errors == 0
    assert result.only_rejected == []
    assert result.cases > 10 * result.operations
    assert result.accepted > result.operations


PATHS = {"/good": 200, "/broken": 500, "/undocumented": 418, "/other": 200}


class Documented(QuietHandler):
    """Documents 200 with a number for every path, but only the first path answers so."""

    def do_GET(self):
        path = self.path.partition("?")[0]
        if path == "/openapi.json":
            self.answer(200, document())
        else:
            self.answer(PATHS.get(path, 404), "no number" if path == "/other" else 7)

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def document():
    answer = {"description": "a number", "content": {"application/json": {"schema": {"type": "integer"}}}}
    operation = {"responses": {"200": answer}, "parameters": []}
    paths = {path: {"get": operation | {"operationId": path[1:]}} for path in PATHS}
    return {"openapi": "3.1.0", "info": {"title": "documented", "version": "1"}, "paths": paths}


@contextmanager
def documented_server():
    with serving(Documented) as address:
        yield f"{address}/openapi.json"


def test_failures_and_server_errors_are_counted(tmp_path):
    with documented_server() as url:
        result = generated_requests.send(url, examples=1, folder=tmp_path, variables={}, phases=["fuzzing"], hooks="")

    assert not result.passed
    assert (result.operations, result.failures, result.server_errors) == (4, 3, 1), result.output


def test_an_unreachable_server_does_not_pass(tmp_path):
    with documented_server() as url:
        pass
    try:
        result = generated_requests.send(url, examples=1, folder=tmp_path, variables={}, phases=["fuzzing"], hooks="")
    except RuntimeError:
        return
    assert not result.passed
