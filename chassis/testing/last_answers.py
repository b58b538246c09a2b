"""What a person needs to understand a failed test: the last HTTP answers, and what the services logged about them.

A `conftest.py` imports both names.
"""

import os
from collections import deque
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import pytest
import requests
from django.test import Client

KEPT, CHARACTERS, LINES = 4, 600, 12


@pytest.fixture(autouse=True)
def last_answers(monkeypatch: pytest.MonkeyPatch) -> "deque[Any]":
    """The last answers that requests or Django's test client got in this test."""
    answers: deque[Any] = deque(maxlen=KEPT)

    def remember(owner: type, method: str) -> None:
        original = getattr(owner, method)

        def call(*arguments: Any, **options: Any) -> Any:
            answer = original(*arguments, **options)
            answers.append(answer)
            return answer

        monkeypatch.setattr(owner, method, call)

    remember(requests.Session, "send")
    remember(Client, "request")
    return answers


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds the last answers to the report of a failed test."""
    report = yield
    answers = getattr(item, "funcargs", {}).get("last_answers")
    if report.failed and answers:
        report.sections.append(("Last answers", "\n\n".join(_lines(answer) for answer in answers)))
    return report


def _lines(answer: Any) -> str:
    """Method, address, status and the beginning of the body, then the log lines with the id of the request."""
    sent = answer.request
    if isinstance(sent, dict):  # of Django's test client
        method, address, body = sent["REQUEST_METHOD"], sent["PATH_INFO"], b"" if answer.streaming else answer.content
    else:
        method, address, body = sent.method, sent.url, answer.content if answer._content_consumed else b""
    told = [f"{method} {address} -> {answer.status_code}", body[:CHARACTERS].decode(errors="replace")]
    return "\n".join([*told, *_logged(answer.headers.get("X-Request-ID"))])


def _logged(request_id: str | None) -> Iterable[str]:
    logs = Path(os.environ.get("TESSERA_DIRECTORY", "")) / "logs"
    if not request_id or "TESSERA_DIRECTORY" not in os.environ or not logs.is_dir():
        return []
    found = [line for log in sorted(logs.glob("*.log")) for line in log.open(errors="replace") if request_id in line]
    return [line.rstrip() for line in found[:LINES]]
