"""What starts only on demand: load, and Prometheus."""

import requests

from chassis.tests.waiting import eventually
from tests.compose.conftest import docker


def test_the_load_test_runs_for_its_time_and_says_whether_it_passed(containers):
    done = containers.project.run(
        "--profile", "loadtest", "up", "--detach", "--build", "--no-recreate", "loadtest", capture_output=True
    )
    assert done.returncode == 0, done.stderr
    [container] = containers.of("loadtest")

    status = docker("wait", container).strip()

    report = docker("logs", container)
    assert status == "0", report
    assert "0.00 % failed" in report
    assert "passed" in report


def test_prometheus_reads_every_service_and_the_broker(containers):
    done = containers.project.run(
        "--profile", "observability", "up", "--detach", "--wait", "--no-recreate", "prometheus", capture_output=True
    )
    assert done.returncode == 0, done.stderr
    url = f"http://127.0.0.1:{containers.port('prometheus', 9090)}/api/v1"

    def up():
        found = requests.get(f"{url}/query", {"query": "up"}, timeout=5).json()["data"]["result"]
        return {(each["metric"]["job"], each["metric"]["service"]): each["value"][1] for each in found}

    services = ["users-ms", "auth-ms", "notification-ms"]
    jobs = [(job, service) for job in ("tessera", "background") for service in services]
    expected = dict.fromkeys([*jobs, ("rabbitmq", "rabbitmq"), ("rabbitmq-node", "rabbitmq")], "1")
    eventually(lambda: up() == expected, seconds=60)
    queues = requests.get(f"{url}/query", {"query": "rabbitmq_detailed_queue_messages"}, timeout=5).json()
    names = {each["metric"]["queue"] for each in queues["data"]["result"]}
    assert "login_email_notification" in names
