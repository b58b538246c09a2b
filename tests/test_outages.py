"""Outages of dependencies: accepted work is delivered later, and no request waits long."""

import contextlib

import requests

from evidence.harness.waiting import eventually


def test_a_login_while_rabbitmq_is_down_succeeds_and_is_notified_after_recovery(stack, stopped):
    user = stack.verified_user()
    eventually(lambda: stack.mails(user["email"], "Your email address is confirmed"))
    stopped("rabbitmq")

    answers = [stack.log_in(user["email"]).status_code for _ in range(3)]

    assert answers == [200, 200, 200]
    assert not stack.mails(user["email"], "New sign-in")
    stack.start("rabbitmq")
    eventually(lambda: len(stack.mails(user["email"], "New sign-in")) == 3)


def test_a_login_while_users_ms_is_down_is_503_in_under_three_seconds(stack, stopped):
    user = stack.verified_user()
    usual = stack.log_in(user["email"]).elapsed.total_seconds()
    stopped("users-ms")

    answer = stack.log_in_once(user["email"])

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.elapsed.total_seconds() < 3 + 10 * usual  # the contract's bound, and what a busy machine takes


def test_an_email_is_sent_once_the_mail_server_is_back(stack, stopped):
    user = stack.verified_user()
    eventually(lambda: stack.mails(user["email"], "Your email address is confirmed"))
    stopped("mail-catcher")
    stack.log_in(user["email"])
    token = {"Authorization": f"Bearer {stack.log_in(user['email']).json()['access_token']}"}

    def attempted():
        url = f"{stack.notification}/notification-ms/notifications?event=user_login_event&medium=email&status=pending"
        found = requests.get(url, headers=token, timeout=60).json()["results"]
        return any(each["attempts"] and each["last_error"] for each in found)

    eventually(attempted)
    stack.start("mail-catcher")

    def arrived():
        with contextlib.suppress(requests.ConnectionError):  # a node port refuses until its node knows the new pod
            return len(stack.mails(user["email"], "New sign-in")) == 2

    eventually(arrived)


def test_a_database_that_is_down_is_503_and_the_service_recovers(stack, stopped):
    stopped("users-db")

    def readiness():
        return requests.get(f"{stack.gateway}/users-ms/ready", timeout=60).status_code

    eventually(lambda: readiness() == 503)
    if not stack.on_cluster:  # a cluster sends no requests to unready pods
        assert requests.get(f"{stack.users}/users-ms/healthcheck", timeout=60).status_code == 200
    stack.start("users-db")
    eventually(lambda: readiness() == 200)
    assert stack.sign_up()["id"]


def test_a_stopped_worker_processes_its_messages_when_restarted(stack, stopped):
    stopped("notification-email-worker")
    user = stack.sign_up()

    assert not stack.mails(user["email"])
    stack.start("notification-email-worker")

    eventually(lambda: len(stack.mails(user["email"], "Confirm your email address")) == 1)


def test_a_temporarily_rejected_email_is_retried_and_delays_no_other(stack):
    """SMTP 451, then 250 (RFC 5321, section 4.2.1)."""
    user = stack.verified_user()
    eventually(lambda: stack.mails(user["email"], "Your email address is confirmed"))
    with stack.mail_rejected(451):
        token = stack.log_in(user["email"]).json()["access_token"]
        url = f"{stack.notification}/notification-ms/notifications?status=pending"

        def rejected():
            rows = requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=60).json()["results"]
            return [row for row in rows if row["attempts"] >= 1 and "451" in row["last_error"]]

        eventually(rejected)
    other = stack.sign_up()

    eventually(lambda: stack.mails(other["email"], "Confirm your email address"))
    eventually(lambda: stack.mails(user["email"], "New sign-in"))
    assert len(stack.mails(user["email"], "New sign-in")) == 1


def test_a_retry_after_a_broker_restart_is_not_dead_lettered(stack, stopped):
    """The worker reuses its connection for publishing retries, which the broker has closed in the meantime."""
    user = stack.verified_user()
    eventually(lambda: stack.mails(user["email"], "Your email address is confirmed"))

    def reject_once(logins):
        with stack.mail_rejected(451):
            token = stack.log_in(user["email"]).json()["access_token"]
            url = f"{stack.notification}/notification-ms/notifications?event=user_login_event&medium=email"

            def rejected():
                rows = requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=60).json()["results"]
                return len(rows) == logins and rows[0]["attempts"] >= 1 and "451" in rows[0]["last_error"]

            eventually(rejected)

    reject_once(1)
    eventually(lambda: len(stack.mails(user["email"], "New sign-in")) == 1)
    stopped("rabbitmq")
    stack.start("rabbitmq")
    reject_once(2)

    eventually(lambda: len(stack.mails(user["email"], "New sign-in")) == 2)
