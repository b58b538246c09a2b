"""The load client: requests to a running stack, timed and counted.

- `traffic` is a closed loop of a few threads around any calls: background load for faults, releases and experiments.
- `LoadClient` sends the mix of a small product with asyncio, in a closed loop or in an open one, whose rate does not
  depend on the answers: `make soak`.

Two other tools remain. Locust (loadtest/) is what users of this repository run against their own installation, with
its options and its reports. wrk (evidence/bench/wrk.py) is written in C: a client in Python would need more of the
shared processors than the server that it is to saturate.
"""

import asyncio
import itertools
import json
import random
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import requests

from evidence.harness.background import repeating
from evidence.harness.records import Recorder
from evidence.harness.stack import PASSWORD, a_user

CLIENTS = 3
TOKEN_SECONDS = 200.0  # an access token is valid for 300 s
TIMEOUT_SECONDS = 10.0
MOST_AT_ONCE = 2000  # requests in flight; any beyond that count as not answered
MOST_ACCOUNTS = 40
# Of 275 requests: a profile is read far more often than it is changed, as in loadtest/locustfile.py.
WEIGHTS = {"read_profile": 200, "read_notifications": 30, "change_profile": 20, "log_in": 20, "sign_up": 5}
NOTIFICATIONS = "/notification-ms/notifications?limit=10"


@dataclass(frozen=True)
class Answer:
    """One request: when it was sent (time.monotonic()), its kind, its status (0 without an answer) and its duration."""

    at: float
    kind: str
    status: int
    seconds: float
    detail: str = ""  # what came instead of a good answer

    @property
    def is_good(self) -> bool:
        """Answered with 2xx."""
        return 200 <= self.status < 300

    @property
    def is_rejection(self) -> bool:
        """Rejected for now: the client should retry later."""
        return self.status in (429, 503)


def timed(kind: str, call: Callable[[], requests.Response]) -> Answer:
    """Send one request; a request that fails is an answer with status 0."""
    began = time.monotonic()
    try:
        response = call()
        status = response.status_code
        detail = "" if status == 200 else f"{response.url} {response.text[:300]}"
    except requests.RequestException as error:
        status, detail = 0, repr(error)
    return Answer(began, kind, status, time.monotonic() - began, detail)


def recorded(recorder: Recorder) -> Callable[[Answer], None]:
    """Record every answer of `traffic`: its kind, milliseconds and status, at the time of the request."""

    def record(answer: Answer) -> None:
        milliseconds = round(1000 * answer.seconds, 1)
        sent = recorder.now() - answer.seconds
        recorder.add("request", answer.kind, milliseconds, answer.status, seconds=sent)

    return record


@dataclass
class Traffic:
    """How many requests were sent, and each that was not answered with 200."""

    served: int = 0
    failures: list[str] = field(default_factory=list)

    def note(self, answer: Answer) -> None:
        """Count an answer."""
        self.served += 1
        if answer.status != 200:
            clock = time.strftime("%H:%M:%S", time.localtime(time.time() - answer.seconds))
            self.failures.append(f"{clock} {answer.kind} {answer.status} {answer.detail}")

    def __str__(self) -> str:
        return f"{len(self.failures)} of {self.served} requests failed"


@contextmanager
def traffic(
    calls: Mapping[str, Callable[[], requests.Response]],
    *,
    pause: float = 0.02,
    on_answer: Callable[[Answer], object] = lambda answer: None,
) -> Iterator[Traffic]:
    """Until the block ends, three clients make the calls in turn, each as soon as its last one was answered."""
    seen = Traffic()

    def use() -> None:
        for kind, call in calls.items():
            answer = timed(kind, call)
            seen.note(answer)
            on_answer(answer)

    with repeating(*[use] * CLIENTS, pause=pause):
        yield seen


class User:
    """A new account that stays signed in, for `traffic`."""

    def __init__(self, gateway: str) -> None:
        self.gateway = gateway
        body = a_user("experiment")
        self.email = body["email"]
        requests.post(f"{gateway}/users-ms/users", json=body, timeout=30).raise_for_status()
        self._lock, self._signed_in = threading.Lock(), -TOKEN_SECONDS
        self._headers: dict[str, str] = {}

    def log_in(self) -> requests.Response:
        """A login through the gateway."""
        body = {"username": self.email, "password": PASSWORD}
        return requests.post(f"{self.gateway}/auth-ms/auth/login", json=body, timeout=TIMEOUT_SECONDS)

    def read_profile(self) -> requests.Response:
        """The user's own profile through the gateway, the most frequent request of a product."""
        url = f"{self.gateway}/users-ms/users/me"
        return requests.get(url, headers=self._current_headers(), timeout=TIMEOUT_SECONDS)

    def _current_headers(self) -> dict[str, str]:
        with self._lock:
            if time.monotonic() - self._signed_in > TOKEN_SECONDS:
                self._renew()
            return self._headers

    def sign_in(self) -> None:
        """Get a new access token, so that none is needed for the next minutes."""
        with self._lock:
            self._renew()

    def _renew(self) -> None:
        answer = self.log_in()
        if answer.ok:
            self._headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
            self._signed_in = time.monotonic()


@dataclass
class Account:
    """An account of the load client, with the headers of its last sign-in."""

    email: str
    user_id: int = 0
    headers: dict[str, str] = field(default_factory=dict)


class LoadClient:
    """Accounts that use the product through the gateway; every answer is kept in `answers`."""

    def __init__(self, gateway: str, *, seed: int = 1) -> None:
        self.answers: list[Answer] = []
        self.accounts: list[Account] = []
        self._chance = random.Random(seed)
        self._numbers = itertools.count()
        connections = aiohttp.TCPConnector(limit=MOST_AT_ONCE, keepalive_timeout=15)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        self._session = aiohttp.ClientSession(gateway, connector=connections, timeout=timeout)
        self._in_flight: set[asyncio.Task[None]] = set()

    async def create_accounts(self, count: int) -> None:
        """Create accounts and sign them in. Raises RuntimeError when some could not be created."""
        for _ in range(count):
            await self.sign_up()
            if self.accounts:
                await self.log_in(self.accounts[-1])
        if len(self.accounts) < count:
            raise RuntimeError(f"only {len(self.accounts)} of {count} accounts could be created")

    async def closed_loop(self, clients: int, seconds: float) -> tuple[float, float]:
        """Each client sends as soon as it was answered; returns the good answers a second, and the share of others."""
        began, before = time.monotonic(), len(self.answers)

        async def use() -> None:
            while time.monotonic() - began < seconds:
                await self._send_any()

        await asyncio.gather(*(use() for _ in range(clients)))
        given = self.answers[before:]
        good = sum(answer.is_good for answer in given)
        return good / (time.monotonic() - began), 1 - good / len(given)

    async def open_loop(self, rate: float, seconds: float) -> None:
        """Start `rate` requests a second, whatever the answers; `finish` waits for those still in flight."""
        began = time.monotonic()
        for number in itertools.count():
            await asyncio.sleep(max(began + number / rate - time.monotonic(), 0))
            if time.monotonic() > began + seconds:
                return
            if len(self._in_flight) >= MOST_AT_ONCE:
                self.answers.append(Answer(time.monotonic(), "not sent", 0, 0.0))
                continue
            task = asyncio.create_task(self._send_any())
            self._in_flight.add(task)
            task.add_done_callback(self._in_flight.discard)

    async def finish(self, *, within: float = 0.0) -> None:
        """Wait for the requests in flight, and cancel those that take longer."""
        if not self._in_flight:
            return
        _, late = await asyncio.wait(self._in_flight, timeout=within)
        for task in late:
            task.cancel()

    async def close(self) -> None:
        """Cancel what is in flight, and close the connections."""
        await self.finish()
        await self._session.close()

    async def _send_any(self) -> None:
        account = self._chance.choice(self.accounts)
        [kind] = self._chance.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))
        actions: dict[str, Callable[[Account], Awaitable[Any]]] = {
            "read_profile": self.read_profile,
            "read_notifications": lambda account: self._send("read_notifications", "GET", NOTIFICATIONS, account),
            "change_profile": self._change_profile,
            "log_in": self._log_in_and_refresh,
            "sign_up": lambda _: self.sign_up(),
        }
        await actions[kind](account)

    async def sign_up(self) -> None:
        """Create an account; once there are enough, it is not used further."""
        body = a_user("soak")
        made = await self._send("sign_up", "POST", "/users-ms/users", json=body)
        if made and len(self.accounts) < MOST_ACCOUNTS:
            self.accounts.append(Account(body["email"], made["id"]))

    async def log_in(self, account: Account) -> str | None:
        """Bcrypt, a session and a mail; returns the refresh token."""
        body = {"username": account.email, "password": PASSWORD}
        return self._keep(account, await self._send("log_in", "POST", "/auth-ms/auth/login", json=body))

    async def _log_in_and_refresh(self, account: Account) -> None:
        if token := await self.log_in(account):
            url, body = "/auth-ms/auth/refresh", {"refresh_token": token}
            self._keep(account, await self._send("refresh", "POST", url, json=body))

    def _keep(self, account: Account, tokens: dict[str, Any] | None) -> str | None:
        if not tokens:
            return None
        account.headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        return str(tokens["refresh_token"])

    async def read_profile(self, account: Account) -> None:
        """The most frequent request of a product."""
        await self._send("read_profile", "GET", "/users-ms/users/me", account)

    async def _change_profile(self, account: Account) -> None:
        body = {"attributes": {"seen": next(self._numbers)}}
        await self._send("change_profile", "PATCH", f"/users-ms/users/{account.user_id}", account, json=body)

    async def _send(
        self, kind: str, method: str, path: str, account: Account | None = None, **options: Any
    ) -> dict[str, Any] | None:
        """The content of a good answer."""
        began, content, status = time.monotonic(), None, 0
        headers = account.headers if account else None
        try:
            async with self._session.request(method, path, headers=headers, **options) as answer:
                body, status = await answer.read(), answer.status
                content = json.loads(body) if answer.ok and body else None
        except (aiohttp.ClientError, TimeoutError):
            pass
        finally:
            self.answers.append(Answer(began, kind, status, time.monotonic() - began))
        return content
