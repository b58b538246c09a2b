"""`make minikube` returns when the applied version runs, not while the previous one does."""

from typing import Any

import pytest

from tools.deployment import kubernetes

READY = {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}


def workload(name: str, **status: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "generation": 2}, "spec": {"replicas": 1}, "status": READY | status}


def broker(seen: int) -> dict[str, Any]:
    conditions = [{"type": "AllReplicasReady", "status": "True"}]
    return {
        "metadata": {"name": "rabbitmq", "generation": 2},
        "status": {"observedGeneration": seen, "conditions": conditions},
    }


@pytest.mark.parametrize(
    ("cluster", "nodes", "deployment", "waits_for"),
    [
        (2, {"observedGeneration": 2}, {"observedGeneration": 2}, []),
        (1, {"observedGeneration": 2}, {"observedGeneration": 2}, ["rabbitmq"]),
        (2, {"observedGeneration": 1}, {"observedGeneration": 2}, ["rabbitmq"]),
        (2, {"observedGeneration": 2, "updatedReplicas": 0}, {"observedGeneration": 2}, ["rabbitmq"]),
        (1, {"observedGeneration": 1}, {"observedGeneration": 1}, ["rabbitmq", "users-ms"]),
        (2, {"observedGeneration": 2}, {"observedGeneration": 2, "availableReplicas": 0}, ["users-ms"]),
    ],
)
def test_it_waits_for_objects_that_are_not_up_to_date(
    monkeypatch: pytest.MonkeyPatch,
    cluster: int,
    nodes: dict[str, int],
    deployment: dict[str, int],
    waits_for: list[str],
) -> None:
    found = {
        "rabbitmqclusters": [broker(cluster)],
        "statefulsets": [workload("rabbitmq-server", **nodes)],
        "deployments": [workload("users-ms-deployment", **deployment)],
    }
    monkeypatch.setattr(kubernetes, "objects", lambda kind, *arguments: found[kind])

    assert kubernetes._not_ready() == waits_for
