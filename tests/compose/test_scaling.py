"""Several containers of one kind share the work."""

import uuid

import pytest
import requests

from evidence.harness.containers import docker
from evidence.harness.waiting import eventually

REQUESTS = 90
USERS, LOGINS = 8, 5  # of each user; more than five in an hour are not notified one by one


@pytest.fixture(autouse=True)
def one_of_each_afterwards(containers):
    yield
    containers.scale(users_ms=1, notification_email_worker=1)


def test_three_web_containers_share_the_requests_behind_the_gateway(stack, containers):
    containers.scale(users_ms=3)
    marker = uuid.uuid4().hex[:12]

    def handled():
        for number in range(REQUESTS):
            identifier = {"X-Request-ID": f"{marker}-{number}"}
            answer = requests.get(f"{stack.gateway}/users-ms/users/me", headers=identifier, timeout=10)
            assert answer.status_code == 401
        logs = [docker("logs", container) for container in containers.of("users-ms")]
        return len(logs) == 3 and all(marker in log for log in logs)

    eventually(handled)  # the gateway finds new containers within a second


def test_four_workers_share_one_queue_and_each_mail_is_sent_once(stack, containers):
    containers.scale(notification_email_worker=4)
    emails = [stack.verified_user()["email"] for _ in range(USERS)]

    for _ in range(LOGINS):
        for email in emails:
            assert stack.log_in(email).status_code == 200

    eventually(lambda: {len(stack.mails(email, "New sign-in")) for email in emails} == {LOGINS}, seconds=90)
    logs = [docker("logs", container) for container in containers.of("notification-email-worker")]
    shares = [log.count("user_login_event") for log in logs]
    assert len(shares) == 4
    assert all(shares), shares
