"""Users of the accounts for Locust (https://docs.locust.io), to load any installation of Tessera.

Locust and not evidence/harness/load.py, because operators know it: options, tags, shapes, distributed workers, reports.


    make load LOAD=steps USERS=20 TIME=2m
    locust --locustfile loadtest/locustfile.py --host http://127.0.0.1:8080 --users 20 --run-time 2m

The weights are those of a small product: a profile is read far more often than it is changed, and users sign in a few
times a day. With ADMIN_EMAIL and ADMIN_PASSWORD, one admin searches. `--tags` selects `login`, `refresh`, `profile`,
`notifications`, `search`; `cpu` burns CPU in users-ms instead, at USERS_URL, because the gateway has no such route.
LOAD=steps, spike or soak changes the number of users over time (shapes.py).
The exit status is 1 when more than FAILURES_ALLOWED percent of the requests failed, or when the 95th percentile of all
is above P95_ALLOWED_MS; 2 when the run has no time limit or too many users. Accounts are created once and reused.
"""

import os
import sys
from itertools import count
from typing import Any

import shapes
from locust import HttpUser, between, events, tag, task
from locust.env import Environment
from locust.runners import WorkerRunner

PASSWORD = "a horse that carries load"  # noqa: S105 - of accounts that exist for the load alone
FAILURES_ALLOWED = float(os.environ.get("FAILURES_ALLOWED", "1"))
P95_ALLOWED_MS = float(os.environ.get("P95_ALLOWED_MS", "3000"))
MOST_USERS, MOST_SECONDS = 500, 2 * 3600
ADMIN = os.environ.get("ADMIN_EMAIL", ""), os.environ.get("ADMIN_PASSWORD", "")
LOAD = os.environ.get("LOAD") or "constant"
if LOAD not in shapes.SHAPES:
    sys.exit(f"LOAD is one of {', '.join(shapes.SHAPES)}; it is {LOAD}.")
ChosenShape = shapes.SHAPES[LOAD]  # Locust uses the one shape class in this module
_numbers = count()


class Account(HttpUser):
    """A client with an account."""

    abstract = True
    email, password = "", PASSWORD

    @tag("login")
    @task(2)
    def log_in(self) -> None:
        """Bcrypt in auth-ms, and the credentials from users-ms; no mail, because the address is unverified."""
        with self.client.post(
            "/auth-ms/auth/login", json={"username": self.email, "password": self.password}, catch_response=True
        ) as answer:
            if answer.ok:
                self._keep(answer.json())

    def _keep(self, tokens: dict[str, Any]) -> None:
        self.token = {"Authorization": f"Bearer {tokens['access_token']}"}
        self.refresh_token = tokens["refresh_token"]


class Member(Account):
    """Signs up, signs in, reads the profile, sometimes changes it, and stays signed in."""

    wait_time = between(0.5, 2)
    weight = 20

    def on_start(self) -> None:
        """Sign up unless the account exists, and sign in."""
        worker = getattr(self.environment.runner, "worker_index", 0)
        self.email = f"load.{worker}.{next(_numbers)}@example.org"
        body = {"name": "Load", "surname": "Tester", "email": self.email, "password": PASSWORD}
        with self.client.post("/users-ms/users", json=body, catch_response=True) as answer:
            if answer.status_code in (201, 409):
                answer.success()
        self.log_in()

    @tag("refresh")
    @task(3)
    def refresh(self) -> None:
        """Rotate the refresh token."""
        with self.client.post(
            "/auth-ms/auth/refresh", json={"refresh_token": self.refresh_token}, catch_response=True
        ) as answer:
            if answer.ok:
                self._keep(answer.json())

    @tag("profile")
    @task(20)
    def read_profile(self) -> None:
        """The most frequent request of a product."""
        self.client.get("/users-ms/users/me", headers=self.token)

    @tag("profile")
    @task(2)
    def change_profile(self) -> None:
        """Change one field of the profile."""
        profile = self.client.get("/users-ms/users/me", headers=self.token)
        if profile.ok:
            url, body = f"/users-ms/users/{profile.json()['id']}", {"attributes": {"seen": next(_numbers)}}
            self.client.patch(url, json=body, headers=self.token, name="/users-ms/users/{id}")

    @tag("notifications")
    @task(3)
    def read_notifications(self) -> None:
        """The list of what was sent."""
        self.client.get("/notification-ms/notifications?limit=10", headers=self.token, name="/notifications")


class Admin(Account):
    """The account of ADMIN_EMAIL, which searches for users."""

    wait_time = between(1, 3)
    fixed_count = 1
    email, password = ADMIN

    def on_start(self) -> None:
        """Sign in."""
        self.log_in()

    @tag("search")
    @task(10)
    def search(self) -> None:
        """Search by prefix."""
        self.client.get("/users-ms/users?search=loa&limit=20", headers=self.token, name="/users-ms/users?search=")


class Burner(HttpUser):
    """Burns CPU in users-ms for experiments with autoscaling; only with `--tags cpu`."""

    wait_time = between(0.1, 0.3)
    host = os.environ.get("USERS_URL", "http://127.0.0.1:4000")

    @tag("cpu")
    @task
    def burn(self) -> None:
        """A Fibonacci number by plain recursion."""
        self.client.get("/users-ms/load-test?n=24", name="/load-test")


@events.init.add_listener
def choose_users(environment: Environment, **_: Any) -> None:
    """Members and an admin if there is one, or with the tag `cpu` burners alone. Exits when the run has no bounds."""
    options = environment.parsed_options
    tags = [each for each in options.tags or [] if each] if options else []
    if options and not isinstance(environment.runner, WorkerRunner):
        _check_bounds(options)
    if "cpu" in tags:
        environment.user_classes = [Burner]
        return
    if not tags or "search" in tags:
        environment.user_classes = [Member, Admin] if all(ADMIN) else [Member]
        if not all(ADMIN):
            print("No admin searches: ADMIN_EMAIL and ADMIN_PASSWORD are not set.")
    else:
        environment.user_classes = [Member]


def _check_bounds(options: Any) -> None:
    if not options.run_time or options.run_time > MOST_SECONDS:
        print(f"Set a time limit of at most {MOST_SECONDS} s: --run-time 2m", file=sys.stderr)
        sys.exit(2)
    if (options.num_users or 1) > MOST_USERS:
        print(f"At most {MOST_USERS} users: --users 20", file=sys.stderr)
        sys.exit(2)


@events.quitting.add_listener
def judge(environment: Environment, **_: Any) -> None:
    """Set the exit status and print why; a worker leaves that to its master."""
    if isinstance(environment.runner, WorkerRunner):
        return
    total = environment.stats.total
    failed, p95 = 100 * total.fail_ratio, total.get_response_time_percentile(0.95)
    good = bool(total.num_requests) and failed <= FAILURES_ALLOWED and p95 <= P95_ALLOWED_MS
    print(
        f"{total.num_requests} requests, {failed:.2f} % failed (allowed {FAILURES_ALLOWED:g} %), "
        f"95th percentile {p95:.0f} ms (allowed {P95_ALLOWED_MS:g} ms): {'passed' if good else 'FAILED'}"
    )
    environment.process_exit_code = 0 if good else 1
