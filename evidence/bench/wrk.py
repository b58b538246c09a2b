"""Closed-loop clients: wrk (https://github.com/wg/wrk); a client in Python would be slower than what it measures."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("request.lua")


@dataclass(frozen=True, kw_only=True)
class Requests:
    """What every client sends as fast as it is answered; each `#` becomes a number from `low` to `high`."""

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
    """What came of it: counts, and seconds."""

    seconds: float
    answered: int  # below 400
    refused: int  # 429 or 503
    failed: int  # another status
    broken: int  # connections that failed, and requests without an answer within 10 s
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """Requests in a second that did what they were sent for."""
        return self.answered / self.seconds


def start(requests: Requests, *, seconds: float) -> "subprocess.Popen[str]":
    """Clients in the background, for so long."""
    options = ["--threads", "1", "--connections", str(requests.clients), "--duration", f"{seconds:.0f}s"]
    arguments = [requests.method, requests.path, requests.body, requests.token, str(requests.low), str(requests.high)]
    command = ["wrk", *options, "--timeout", "10s", "--script", str(SCRIPT), requests.url, "--", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def result(clients: "subprocess.Popen[str]") -> Answers:
    """What the clients have seen, once their time is over. Raises RuntimeError when requests failed."""
    output, _ = clients.communicate()
    answers = Answers(**json.loads(output.splitlines()[-1]))
    if answers.failed or answers.answered + answers.refused == 0:
        raise RuntimeError(f"these requests were not answered as they should: {answers}")
    return answers


def send(requests: Requests, *, seconds: float) -> Answers:
    """Clients for so long. Raises RuntimeError when a request failed other than by 429 or 503."""
    return result(start(requests, seconds=seconds))
