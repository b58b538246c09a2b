"""Requests of a small product's people, at a rate that nothing slows down: nobody waits for who came before."""

import asyncio
import itertools
import json
import random
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

PASSWORD = "a horse that carries load"
TIMEOUT_SECONDS = 10.0
MOST_AT_ONCE = 2000  # requests under way; who comes beyond that counts as not answered
# What people do, of 275 requests: a profile is read far more often than it is changed, as in loadtest/locustfile.py.
WEIGHTS = {"read_profile": 200, "read_notifications": 30, "change_profile": 20, "log_in": 20, "sign_up": 5}


@dataclass(frozen=True)
class Answer:
    """One request: when it was sent (time.monotonic()), what it was, its status (0 without an answer), its seconds."""

    at: float
    kind: str
    status: int
    seconds: float

    @property
    def is_good(self) -> bool:
        """Answered as it should be."""
        return 200 <= self.status < 300

    @property
    def is_refusal(self) -> bool:
        """Told to come again later."""
        return self.status in (429, 503)


@dataclass
class Account:
    """Somebody who has signed in."""

    email: str
    user_id: int = 0
    headers: dict[str, str] = field(default_factory=dict)


class People:
    """Accounts, and what they do through the gateway; every answer is kept in `answers`."""

    def __init__(self, gateway: str, *, seed: int = 1) -> None:
        self.answers: list[Answer] = []
        self.accounts: list[Account] = []
        self._chance = random.Random(seed)
        self._numbers = itertools.count()
        connections = aiohttp.TCPConnector(limit=MOST_AT_ONCE, keepalive_timeout=15)
        patience = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        self._client = aiohttp.ClientSession(gateway, connector=connections, timeout=patience)
        self._under_way: set[asyncio.Task[None]] = set()

    async def arrive(self, count: int) -> None:
        """New accounts, each signed in. Raises RuntimeError when the stack does not take them."""
        for _ in range(count):
            await self.sign_up()
            await self.log_in(self.accounts[-1] if self.accounts else None)
        if len(self.accounts) < count:
            raise RuntimeError(f"only {len(self.accounts)} of {count} people could sign up")

    async def closed_loop(self, people: int, seconds: float) -> tuple[float, float]:
        """Each sends as soon as it was answered; returns the good answers a second, and the share of those not good."""
        began, before = time.monotonic(), len(self.answers)

        async def use() -> None:
            while time.monotonic() - began < seconds:
                await self._something()

        await asyncio.gather(*(use() for _ in range(people)))
        given = self.answers[before:]
        good = sum(answer.is_good for answer in given)
        return good / (time.monotonic() - began), 1 - good / len(given)

    async def open_loop(self, rate: float, seconds: float) -> None:
        """`rate` of them begin a second, whatever became of those before; those under way are left to `leave`."""
        began = time.monotonic()
        for number in itertools.count():
            await asyncio.sleep(max(began + number / rate - time.monotonic(), 0))
            if time.monotonic() > began + seconds:
                return
            if len(self._under_way) >= MOST_AT_ONCE:
                self.answers.append(Answer(time.monotonic(), "not sent", 0, 0.0))
                continue
            task = asyncio.create_task(self._something())
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def leave(self, *, patience: float = 0.0) -> None:
        """Those under way have `patience` seconds more, then they hang up."""
        if not self._under_way:
            return
        _, late = await asyncio.wait(self._under_way, timeout=patience)
        for task in late:
            task.cancel()

    async def close(self) -> None:
        """Hangs up, and closes the connections."""
        await self.leave()
        await self._client.close()

    async def _something(self) -> None:
        account = self._chance.choice(self.accounts)
        [kind] = self._chance.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))
        actions: dict[str, Callable[[Account], Awaitable[Any]]] = {
            "read_profile": self.read_profile,
            "read_notifications": lambda who: self._send("read_notifications", "GET", NOTIFICATIONS, who),
            "change_profile": self._change_profile,
            "log_in": self._log_in_and_refresh,
            "sign_up": lambda _: self.sign_up(),
        }
        await actions[kind](account)

    async def sign_up(self) -> None:
        """A new account; it stays without a session, and takes no part, once there are enough."""
        email = f"soak.{secrets.token_hex(8)}@example.org"
        body = {"name": "Load", "surname": "Tester", "email": email, "password": PASSWORD}
        made = await self._send("sign_up", "POST", "/users-ms/users", json=body)
        if made and len(self.accounts) < 40:
            self.accounts.append(Account(email, made["id"]))

    async def log_in(self, account: Account | None) -> str | None:
        """Bcrypt, a session and a mail; returns the refresh token."""
        if account is None:
            return None
        body = {"username": account.email, "password": PASSWORD}
        answer = await self._send("log_in", "POST", "/auth-ms/auth/login", json=body)
        return self._keep(account, answer)

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
        """What most requests of a product are."""
        await self._send("read_profile", "GET", "/users-ms/users/me", account)

    async def _change_profile(self, account: Account) -> None:
        body = {"attributes": {"seen": next(self._numbers)}}
        await self._send("change_profile", "PATCH", f"/users-ms/users/{account.user_id}", account, json=body)

    async def _send(
        self, kind: str, method: str, path: str, account: Account | None = None, **options: Any
    ) -> dict[str, Any] | None:
        """What a good answer holds."""
        began, content, status = time.monotonic(), None, 0
        headers = account.headers if account else None
        try:
            async with self._client.request(method, path, headers=headers, **options) as answer:
                body, status = await answer.read(), answer.status
                content = json.loads(body) if answer.ok and body else None
        except (aiohttp.ClientError, TimeoutError):
            pass
        finally:
            self.answers.append(Answer(began, kind, status, time.monotonic() - began))
        return content


NOTIFICATIONS = "/notification-ms/notifications?limit=10"
