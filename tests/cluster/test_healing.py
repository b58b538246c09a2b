"""Deleted, killed and hung pods recover by themselves."""

import json

import pytest

from evidence.harness.pods import CHILDREN, HANG, PATIENCE_SECONDS
from evidence.harness.waiting import eventually
from tools.deployment import kubernetes
from tools.deployment.kubernetes import kubectl


@pytest.mark.parametrize("program", ["users-ms", "auth-ms", "notification-ms", "gateway"])
def test_no_request_fails_while_a_pod_is_deleted(pods, under_load, program):
    with under_load() as seen:
        before = pods.ready(program)
        kubectl("delete", "pod", pods.one(program))
        eventually(lambda: pods.ready(program) >= before, seconds=PATIENCE_SECONDS)

    assert seen.failures == []


def test_a_killed_pod_is_replaced_and_only_its_own_requests_fail(pods, under_load):
    killed = pods.one("users-ms")
    with under_load() as seen:
        kubectl("delete", "pod", killed, "--grace-period=0", "--force")
        eventually(lambda: pods.ready("users-ms") >= 2, seconds=PATIENCE_SECONDS)
        eventually(lambda: killed not in [pod["metadata"]["name"] for pod in pods.of("users-ms")])

    assert len(seen.failures) < 0.05 * seen.served, seen.failures


def test_hung_processes_fail_the_liveness_probe_and_are_replaced(pods, under_load):
    """The kubelet restarts the container after three failures, or gunicorn its processes after 30 s: the first one."""
    pod = pods.one("users-ms")
    before = pods.restarts(pod)
    with under_load():
        status, output = pods.inside(pod, "python", "-c", HANG)
        assert status == 0, output
        hung = set(output.split())

        def replaced():
            if pods.restarts(pod) > before:
                return True
            status, children = pods.inside(pod, "python", "-c", CHILDREN)
            return status == 0 and children.split() and not hung & set(children.split())

        eventually(replaced, seconds=PATIENCE_SECONDS)
    eventually(lambda: pods.ready("users-ms") >= 2, seconds=PATIENCE_SECONDS)

    events = kubernetes.objects("events", "--field-selector", f"involvedObject.name={pod}")
    messages = [event["message"] for event in events]
    assert any("Liveness probe failed" in message for message in messages), messages


@pytest.mark.parametrize("program", ["notification-email-worker", "users-outbox-relay", "auth-event-worker"])
def test_no_event_is_lost_when_a_workers_pod_is_killed(stack, pods, account, program):
    kubectl("delete", "pod", pods.one(program), "--grace-period=0", "--force")
    for _ in range(5):
        assert stack.log_in(account["email"]).status_code == 200

    eventually(lambda: len(stack.mails(account["email"], "New sign-in")) == 5, seconds=PATIENCE_SECONDS)


@pytest.mark.parametrize("service", ["users", "auth", "notification"])
def test_a_database_keeps_its_data_when_its_pod_is_deleted(stack, pods, account, service):
    claim = ["get", "persistentvolumeclaim", f"{service}-db-persistent-volume-claim", "--output=json"]
    volume = json.loads(kubectl(*claim).stdout)["spec"]["volumeName"]
    old = pods.one(f"{service}-db")

    kubectl("delete", "pod", old)
    pods.rolled_out(f"{service}-db")

    assert pods.one(f"{service}-db") != old
    assert json.loads(kubectl(*claim).stdout)["spec"]["volumeName"] == volume
    eventually(lambda: stack.log_in(account["email"]).status_code == 200, seconds=PATIENCE_SECONDS)
    eventually(lambda: stack.mails(account["email"], "New sign-in"), seconds=PATIENCE_SECONDS)


def test_no_event_is_lost_when_the_brokers_pod_is_deleted(stack, account):
    token = stack.token_of(account["email"])
    kubectl("delete", "pod", "rabbitmq-server-0", "--wait=false")
    for _ in range(10):
        assert stack.log_in(account["email"]).status_code == 200

    eventually(lambda: stack.notified("user_login_event", token=token) == 11, seconds=PATIENCE_SECONDS)
