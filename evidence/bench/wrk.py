"""Closed-loop clients with wrk (https://github.com/wg/wrk), to saturate a server.

evidence/harness/load.py does not serve here: a client in Python needs more of the shared processors than the server.
"""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("request.lua")


@dataclass(frozen=True, kw_only=True)
class Requests:
    """What every client sends without a pause; each `#` becomes a number from `low` to `high`."""

    url: str
    path: str
    method: str = "GET"
    body: str = ""
    token: str = ""
    low: int = 1
    high: int = 1
    clients: int = 16


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The outcome: counts, and seconds."""

    seconds: float
    answered: int  # below 400
    rejected: int  # 429 or 503
    failed: int  # another status
    broken: int  # connections that failed, and requests without an answer within 10 s
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """Successful requests per second."""
        return self.answered / self.seconds


def start(requests: Requests, *, seconds: float) -> "subprocess.Popen[str]":
    """Start clients in the background that send for `seconds`."""
    options = ["--threads", "1", "--connections", str(requests.clients), "--duration", f"{seconds:.0f}s"]
    arguments = [requests.method, requests.path, requests.body, requests.token, str(requests.low), str(requests.high)]
    command = ["wrk", *options, "--timeout", "10s", "--script", str(SCRIPT), requests.url, "--", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def result(clients: "subprocess.Popen[str]") -> Answers:
    """Wait for the clients, and return their answers. Raises RuntimeError when requests failed."""
    output, _ = clients.communicate()
    answers = Answers(**json.loads(output.splitlines()[-1]))
    if answers.failed or answers.answered + answers.rejected == 0:
        raise RuntimeError(f"requests failed: {answers}")
    return answers


def send(requests: Requests, *, seconds: float) -> Answers:
    """Send for `seconds`. Raises RuntimeError when a request failed other than with 429 or 503."""
    return result(start(requests, seconds=seconds))
