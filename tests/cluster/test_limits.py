"""Permissions and network access of pods."""

import pytest

from installation.service_catalog import SERVICES
from tools.deployment import kubernetes
from tools.deployment.kubernetes import kubectl

DATABASES = {f"{service}-db-cluster-ip-service": service for service in SERVICES}


@pytest.fixture(scope="module")
def enforced(pods):
    """Skip where the cluster's network does not enforce NetworkPolicies."""
    denying = [policy for policy in kubernetes.objects("networkpolicies") if policy["spec"]["podSelector"] == {}]
    assert any(set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"} for policy in denying)
    forbidden = [("notification-db-cluster-ip-service", 5432), ("kubernetes.default.svc", 443)]
    if all(pods.connects(pods.one("users-ms"), host, port) for host, port in forbidden):
        pytest.skip(
            "this cluster's network does not enforce NetworkPolicies: one denies every pod everything that no other "
            "allows, and users-ms reached notification-db and the API server"
        )


@pytest.mark.parametrize("service", SERVICES)
def test_only_the_owner_reaches_a_database(pods, enforced, service):
    reached = {owner for host, owner in DATABASES.items() if pods.connects(pods.one(f"{service}-ms"), host, 5432)}

    assert reached == {service}


def test_the_web_service_of_users_does_not_reach_the_broker(pods, enforced):
    assert pods.connects(pods.one("users-outbox-relay"), "rabbitmq", 5672)
    assert not pods.connects(pods.one("users-ms"), "rabbitmq", 5672)


def test_the_owner_reaches_its_database(pods):
    for service in SERVICES:
        assert pods.connects(pods.one(f"{service}-ms"), f"{service}-db-cluster-ip-service", 5432)


@pytest.mark.parametrize(
    "program", ["users-ms", "users-outbox-relay", "auth-event-worker", "notification-email-worker"]
)
def test_a_process_is_not_root_cannot_write_and_has_no_service_account_token(pods, program):
    pod = pods.one(program)

    _, user = pods.inside(pod, "id", "-u")
    status, output = pods.inside(pod, "sh", "-c", "echo x > /probe")
    token, _ = pods.inside(pod, "ls", "/var/run/secrets/kubernetes.io")

    assert int(user) > 0
    assert status != 0
    assert "Read-only file system" in output
    assert token != 0


def test_every_pod_meets_the_restricted_pod_security_standard():
    """The namespace enforces it; a dry run of the label lists the pods that violate it."""
    done = kubectl(
        "label",
        "--dry-run=server",
        "--overwrite",
        "namespace",
        "tessera",
        "pod-security.kubernetes.io/enforce=restricted",
    )

    assert "violate" not in done.stdout + done.stderr


def test_every_container_has_requests_and_limits():
    for pod in kubernetes.objects("pods"):
        for container in [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]:
            for kind in ("requests", "limits"):
                assert {"cpu", "memory"} <= set(container["resources"].get(kind, {})), (pod["metadata"]["name"], kind)
