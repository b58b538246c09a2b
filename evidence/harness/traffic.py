"""Requests that go on while something happens to the stack, and what became of them."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event

import requests

CLIENTS = 3
LONGEST_SECONDS = 900.0  # no traffic outlives this, whatever happens to its test


@dataclass
class Traffic:
    """How many requests were answered, and each that was not answered with 200."""

    served: int = 0
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{len(self.failures)} of {self.served} requests failed"


@contextmanager
def traffic(*attempts: Callable[[], requests.Response], pause: float = 0.02) -> Iterator[Traffic]:
    """Within it, three clients make the attempts in turn, each as soon as the one before it was answered."""
    seen, over, deadline = Traffic(), Event(), time.monotonic() + LONGEST_SECONDS

    def use() -> None:
        while not over.is_set() and time.monotonic() < deadline:
            for attempt in attempts:
                began = time.strftime("%H:%M:%S")
                try:
                    answer = attempt()
                    if answer.status_code != 200:
                        seen.failures.append(f"{began} {answer.status_code} {answer.url} {answer.text[:300]}")
                except requests.RequestException as error:
                    seen.failures.append(f"{began} {error!r}")
                seen.served += 1
            over.wait(pause)

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(use) for _ in range(CLIENTS)]
        try:
            yield seen
        finally:
            over.set()
        for client in clients:
            client.result()
