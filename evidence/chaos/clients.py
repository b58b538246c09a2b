"""Clients of the stack during a fault, and a ledger of the answers that they got."""

import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

import requests

from evidence.harness.background import repeating
from evidence.harness.load import timed
from evidence.harness.stack import PASSWORD, Stack, a_phone, a_user
from evidence.harness.waiting import eventually

CLIENTS = 4
PAUSE_SECONDS = 1.0  # slow enough for one worker on a busy machine: only the fault may cause a backlog
TIMEOUT_SECONDS = 20.0
LONGEST_SECONDS = 300.0  # no load outlives this, whatever happens to its test


@dataclass
class Attempt:
    """A request that writes, identified by its trace: an email in users-db or a user agent in auth-db."""

    kind: str  # "sign_up" or "login"
    mark: str  # the email of a sign-up, the user agent of a login: no other request has it
    body: dict[str, str]
    wanted: bool = True  # False for what must be rejected: a wrong password
    status: int = 0  # 0 when there was no answer

    @property
    def is_accepted(self) -> bool:
        """The answer confirms the change."""
        return 200 <= self.status < 300

    @property
    def is_rejected(self) -> bool:
        """The answer rejects the change."""
        return 400 <= self.status < 500

    @property
    def is_unknown(self) -> bool:
        """The outcome is unknown to the client: no answer, or a 5xx."""
        return not self.is_accepted and not self.is_rejected


class Clients:
    """Requests through the gateway, each with a mark of its own; their outcomes are in `ledger`."""

    def __init__(self, stack: Stack, *, seed: int) -> None:
        self.stack, self.seed = stack, seed
        self.ledger: list[Attempt] = []
        self.seconds = 0.0
        self._users: list[str] = []
        self._known = threading.Lock()

    def sign_up(self, session: requests.Session | None = None) -> Attempt:
        """A new user with an email address and a phone."""
        body = a_user("chaos", phone=a_phone())
        attempt = self.repeat(Attempt("sign_up", body["email"], body), session)
        if attempt.is_accepted:
            with self._known:
                self._users.append(attempt.mark)
        return self._note(attempt)

    def log_in(self, email: str, session: requests.Session | None = None, *, password: str = PASSWORD) -> Attempt:
        """A sign-in; one with a wrong password must be rejected."""
        body = {"username": email, "password": password}
        attempt = Attempt("login", f"chaos/{secrets.token_hex(8)}", body, wanted=password == PASSWORD)
        return self._note(self.repeat(attempt, session))

    def repeat(self, attempt: Attempt, session: requests.Session | None = None) -> Attempt:
        """Send it, first or again: a sign-up has its mark as Idempotency-Key, so it is created once."""
        if attempt.kind == "sign_up":
            url, headers = "/users-ms/users", {"Idempotency-Key": attempt.mark}
        else:
            url, headers = "/auth-ms/auth/login", {"User-Agent": attempt.mark}
        send = (session or requests).post
        answer = timed(
            attempt.kind,
            partial(send, self.stack.gateway + url, json=attempt.body, headers=headers, timeout=TIMEOUT_SECONDS),
        )
        attempt.status = answer.status
        return attempt

    def _note(self, attempt: Attempt) -> Attempt:
        self.ledger.append(attempt)
        return attempt

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Until the block ends, clients sign up, sign in, and sign in with a wrong password."""
        eventually(lambda: self.sign_up().is_accepted and len(self._users) >= CLIENTS, seconds=60)
        for each in [attempt for attempt in self.ledger if attempt.mark in self._users]:
            self.stack.verify(each.mark)  # an unverified user gets the verification mail only
            self.stack.verify_phone(each.body["phone"], token=self.stack.token_of(each.mark))
        began = time.monotonic()
        with ExitStack() as sessions:
            opened = [sessions.enter_context(requests.Session()) for _ in range(CLIENTS)]
            steps = [partial(self._step, random.Random(f"{self.seed}.{n}"), each) for n, each in enumerate(opened)]
            try:
                with repeating(*steps, pause=PAUSE_SECONDS, longest=LONGEST_SECONDS):
                    yield
            finally:
                self.seconds += time.monotonic() - began

    def _step(self, chance: random.Random, session: requests.Session) -> None:
        kind = chance.random()
        with self._known:
            email = chance.choice(self._users)
        if kind < 0.25:
            self.sign_up(session)
        elif kind < 0.9:
            self.log_in(email, session)
        else:  # with an unknown account, so that none of the others is locked
            self.log_in(f"nobody.{chance.randrange(10**9)}@example.org", session, password="a wrong password")

    @property
    def load(self) -> str:
        """A summary of the load."""
        return f"{CLIENTS} clients, {len(self.ledger) / max(self.seconds, 1):.1f} /s"


@dataclass
class Probe:
    """A new user who signs up, verifies, signs in and is notified: when that works, the stack has recovered."""

    clients: Clients
    seconds: float = 240.0
    missing: list[str] = field(default_factory=list)
    is_asked: bool = False  # for the verification of the phone

    def passes(self) -> float:
        """Seconds until every step works. Raises AssertionError after the deadline, naming what is missing."""
        began = time.monotonic()
        steps = (
            ("a sign-up", self._signs_up),
            ("the verification of the address", self._verifies),
            ("the verification of the phone", self._verifies_the_phone),
            ("a sign-in", self._signs_in),
            ("the notifications", self._is_notified),
        )
        for text, step in steps:
            while not _works(step):
                if time.monotonic() - began > self.seconds:
                    raise AssertionError(f"{text} does not work {self.seconds} s after the fault: {self.missing}")
                time.sleep(0.25)
        return time.monotonic() - began

    def _signs_up(self) -> bool:
        self._user = self.clients.sign_up()
        return self._user.is_accepted

    def _verifies(self) -> bool:
        stack = self.clients.stack
        mails = stack.mails(self._user.mark, "Confirm your email address")
        body = {"token": stack.mailed_token(mails[0])} if mails else {}
        return bool(mails) and stack.call_once("POST", "/auth-ms/auth/email/verify", body).ok

    def _verifies_the_phone(self) -> bool:
        """Request the code once, because codes are limited."""
        stack, phone = self.clients.stack, self._user.body["phone"]
        login = stack.log_in(self._user.mark)
        if not login.ok:
            return False
        token = str(login.json()["access_token"])
        if not self.is_asked:
            self.is_asked = stack.call_once("POST", "/auth-ms/auth/phone/verification", token=token).ok
        if not self.is_asked or not stack.mails(f"sms{phone}@tessera.example"):
            return False
        body = {"code": stack.code_sent_to(phone)}
        return stack.call_once("POST", "/auth-ms/auth/phone/verify", body, token=token).ok

    def _signs_in(self) -> bool:
        return self.clients.log_in(self._user.mark).is_accepted

    def _is_notified(self) -> bool:
        subjects = {mail["Subject"].split(",")[0] for mail in self.clients.stack.mails(self._user.mark)}
        wanted = {"Confirm your email address", "Your email address is confirmed", "New sign-in to your account"}
        self.missing = sorted(wanted - subjects)
        texts = self.clients.stack.mails(f"sms{self._user.body['phone']}")
        return not self.missing and len(texts) > 1  # the code, and the sign-in


def _works(step: Callable[[], bool]) -> bool:
    with suppress(requests.RequestException):  # such as a slow search of the mailbox
        return step()
    return False
