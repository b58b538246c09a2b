"""The running stack from the outside: over HTTP, SMTP and AMQP. Nothing here imports a service."""

import os
import re
import secrets
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from evidence.harness.waiting import decided, eventually

PASSWORD = "correct horse battery"


def a_phone() -> str:
    """A phone number that no other test uses, because codes are limited per number."""
    return f"+39347{secrets.randbelow(10**7):07}"


def a_user(prefix: str = "user", /, **changes: Any) -> dict[str, Any]:
    """The body of a sign-up, with an email address that no other test uses."""
    email = f"{prefix}.{secrets.token_hex(8)}@example.org"
    return {"name": "Ada", "surname": "Lovelace", "email": email, "password": PASSWORD} | changes


@dataclass
class Stack:
    """The addresses of the stack, and its programs to stop and start."""

    users: str
    auth: str
    notification: str
    gateway: str
    mail: str
    broker_url: str
    directory: str  # the directory of the stack, or of the run of its tests
    commands: list[str]  # the prefix of the commands behind `make`
    client_address: str  # the client address that the services see in requests of the tests

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> "Stack":
        """The stack whose addresses these environment variables have."""
        return cls(
            users=variables["USERS_URL"],
            auth=variables["AUTH_URL"],
            notification=variables["NOTIFICATION_URL"],
            gateway=variables["GATEWAY_URL"],
            mail=variables["MAIL_URL"],
            broker_url=variables["BROKER_URL"],
            directory=variables["TESSERA_DIRECTORY"],
            commands=shlex.split(variables["TESSERA_COMMAND"]),
            client_address=variables["CLIENT_ADDRESS"],
        )

    @classmethod
    def of_environment(cls) -> "Stack":
        """The stack whose addresses the environment has."""
        return cls.of(os.environ)

    @staticmethod
    def broker_url_of(user: str) -> str:
        """The broker URL of one process, such as auth-outbox-relay; `broker_url` is the administrator's."""
        return os.environ[f"{user.replace('-', '_').upper()}_BROKER_URL"]

    @property
    def on_cluster(self) -> bool:
        """True on Kubernetes, where a program that is not ready is unreachable."""
        return "--cluster" in self.commands

    def stop(self, program: str) -> None:
        """Stop one program of the stack, and return when it has ended."""
        self.command("stop", program)

    def start(self, program: str) -> None:
        """Start it again, and return when it answers."""
        self.command("start", program)

    def manage(self, service: str, *arguments: str) -> None:
        """Run a command of a service's manage.py, as an operator does."""
        self.command("manage", service, *arguments)

    def log(self, program: str) -> str:
        """The log of a program since the stack was started."""
        file = Path(self.directory) / "logs" / f"{program}.log"  # of local processes
        if file.exists():
            return file.read_text(errors="replace")
        text = self.command("logs", "--no-follow", program, stdout=subprocess.PIPE).stdout
        return re.sub(r"^\x1b\[2K", "", text, flags=re.MULTILINE)  # with which Compose starts each line

    def command(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run one of the commands behind `make` on this stack."""
        return subprocess.run([*self.commands, *arguments], check=True, timeout=600, text=True, **options)

    def sign_up(self, **changes: Any) -> dict[str, Any]:
        """A new user, with an email that no other test uses."""
        user = a_user(**changes)
        answer = self.decided(lambda: requests.post(f"{self.users}/users-ms/users", json=user, timeout=60))
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def verified_user(self, **changes: Any) -> dict[str, Any]:
        """A new user with a verified address, and a verified phone if one is given."""
        user = self.sign_up(**changes)
        self.verify(user["email"])
        if user["phone"]:
            self.verify_phone(user["phone"], token=self.token_of(user["email"], changes.get("password", PASSWORD)))
        return dict(user)

    def verify(self, email: str) -> requests.Response:
        """Verify an address with the token of the newest verification mail."""
        mail = eventually(lambda: self.mails(email, "Confirm your email address"))[0]
        body = {"token": self.mailed_token(mail)}
        answer = self.call("POST", "/auth-ms/auth/email/verify", body)
        assert answer.status_code == 200, answer.text
        return answer

    def verify_phone(self, phone: str, *, token: str) -> None:
        """Verify the phone of the user of the token with the code of the text message."""
        answer = self.call("POST", "/auth-ms/auth/phone/verification", token=token)
        assert answer.status_code == 202, answer.text
        code = {"code": self.code_sent_to(phone)}
        answer = self.call("POST", "/auth-ms/auth/phone/verify", code, token=token)
        assert answer.status_code == 204, answer.text

    def code_sent_to(self, phone: str) -> str:
        """The six digits of the newest text message with a code."""
        mail = eventually(lambda: self.mails(f"sms{phone}@tessera.example"))[0]
        found = re.search(r"\b\d{6}\b", self.mail_text(mail))
        assert found, self.mail_text(mail)
        return found[0]

    def make_admin(self, email: str, *options: str, password: str = PASSWORD) -> None:
        """Create an admin account as an operator does. Raises CalledProcessError."""
        variables = os.environ | {"ADMIN_PASSWORD": password}
        self.command("manage", "users", "create_admin", f"--email={email}", *options, env=variables)

    def log_in(self, email: str, password: str = PASSWORD) -> requests.Response:
        """The answer to a login."""
        return self.decided(lambda: self.log_in_once(email, password))

    def decided(self, send: Callable[[], requests.Response]) -> requests.Response:
        """The answer, as `decided` waits for it; a cluster refuses connections while no pod is ready."""
        return decided(send, may_refuse=self.on_cluster)

    def log_in_once(self, email: str, password: str = PASSWORD) -> requests.Response:
        """The answer to a login, whatever it is."""
        return self.call_once("POST", "/auth-ms/auth/login", {"username": email, "password": password})

    def token_of(self, email: str, password: str = PASSWORD) -> str:
        """The access token of a new session."""
        answer = self.log_in(email, password)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """As `call_once`, but repeats what a busy machine answers with 503."""
        return self.decided(lambda: self.call_once(method, path, body, **options))

    def call_once(
        self, method: str, path: str, body: Any = None, *, token: str = "", headers: dict[str, str] | None = None
    ) -> requests.Response:
        """The answer of the service whose prefix the path has; `token` is an access token."""
        service = path.split("/")[1].removesuffix("-ms")
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        url = getattr(self, service) + path
        return requests.request(method, url, json=body, headers=bearer | (headers or {}), timeout=60)

    def mails(self, to: str, subject: str = "") -> list[dict[str, Any]]:
        """The mails that the SMTP side has received for an address."""
        query = f'to:"{to}"' + (f' subject:"{subject}"' if subject else "")
        answer = requests.get(f"{self.mail}/api/v1/search", {"query": query}, timeout=60)
        return list(answer.json()["messages"])

    def notified(self, event: str, *, token: str) -> int:
        """How many events were notified to the user by email, or skipped by the limit for one recipient."""
        path = f"/notification-ms/notifications?event={event}&medium=email&limit=200"
        rows = self.call("GET", path, token=token).json()["results"]
        return sum(row["status"] in ("sent", "skipped") for row in rows)

    @contextmanager
    def mail_rejected(self, code: int) -> Iterator[None]:
        """Until the block ends, the mail server rejects every recipient with `code`."""
        url = f"{self.mail}/api/v1/chaos"
        requests.put(url, json={"Recipient": {"ErrorCode": code, "Probability": 100}}, timeout=60).raise_for_status()
        try:
            yield
        finally:
            requests.put(url, json={}, timeout=60).raise_for_status()

    def mail_text(self, mail: dict[str, Any]) -> str:
        """The plain text of a mail."""
        return str(requests.get(f"{self.mail}/api/v1/message/{mail['ID']}", timeout=60).json()["Text"])

    def mailed_token(self, mail: dict[str, Any]) -> str:
        """The token in a mail: at the end of its link, or alone where no page is configured."""
        found = re.search(r"[/ ]([\w-]{43})\s", self.mail_text(mail))
        assert found, self.mail_text(mail)
        return found[1]

    def mailed_page(self, mail: dict[str, Any]) -> str:
        """Where the link in a mail leads, at the gateway of the tests."""
        found = re.search(r"https?://[^/\s]+/(#\S+)", self.mail_text(mail))
        assert found, self.mail_text(mail)
        return f"{self.gateway}/{found[1]}"


@pytest.fixture(scope="session")
def stack() -> Stack:
    """The stack that `make test` has started."""
    return Stack.of_environment()


@pytest.fixture
def stopped(stack: Stack) -> Iterator[Callable[[str], None]]:
    """`stopped("rabbitmq")` stops a program, which is started again after the test."""
    programs: list[str] = []

    def stop(program: str) -> None:
        programs.append(program)
        stack.stop(program)

    yield stop
    for program in programs:
        stack.start(program)


@pytest.fixture(scope="session")
def admins_email(stack: Stack) -> str:
    """The address of an admin account."""
    email = f"root.{secrets.token_hex(8)}@example.org"
    stack.make_admin(email)
    return email


@pytest.fixture
def admin(stack: Stack, admins_email: str) -> dict[str, Any]:
    """The tokens of an admin who has just signed in; a rotation of compromised keys ends older ones."""
    return dict(stack.log_in(admins_email).json())
