"""Every overlay and every sensible combination of components builds, is valid, and follows this repository's rules.

Run by `make kubernetes-lint`, in .venv-kubernetes. No cluster is needed.
"""

import functools
import itertools
import json

import kubernetes_validate
import pytest

from kustomize.tests import building

KUBERNETES = "1.34"
# API groups of operators, whose schemas are not part of Kubernetes; clusters with the operator validate them.
FOREIGN = {
    "rabbitmq.com": "RabbitMQ's cluster operator",
    "keda.sh": "KEDA",
    "gateway.networking.k8s.io": "the Gateway API",
    "external-secrets.io": "the External Secrets Operator",
    "acid.zalan.do": "Zalando's Postgres operator",
    "monitoring.coreos.com": "Prometheus' operator",
}


@functools.cache
def _validate(item: str) -> None:
    """Validate an object once, even if many combinations contain it. Raises the validation error."""
    kubernetes_validate.validate(json.loads(item), KUBERNETES, strict=True)


def test_every_object_is_valid_for_kubernetes(combination: str) -> None:
    for item in building.objects(combination):
        if item["apiVersion"].partition("/")[0] not in FOREIGN:
            _validate(json.dumps(item))


@pytest.mark.parametrize("group", list(FOREIGN))
def test_objects_of_operators_are_not_validated_here(group: str) -> None:
    kinds = {
        item["kind"]
        for item in building.objects("overlays/cloud+monitoring")
        if item["apiVersion"].startswith(f"{group}/")
    }
    assert kinds
    pytest.skip(f"{', '.join(sorted(kinds))}: the schema belongs to {FOREIGN[group]}; API servers with it validate")


def test_names_are_unique(combination: str) -> None:
    names = [(item["kind"], item["metadata"]["name"]) for item in building.objects(combination)]

    assert len(names) == len(set(names))
    assert {item["metadata"].get("namespace", "tessera") for item in building.objects(combination)} == {"tessera"}


def test_every_container_is_restricted_has_limits_and_a_version(combination: str) -> None:
    for pod in building.pods(combination, "Deployment", "Job"):
        security = pod["spec"]["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        makes_secrets = pod["spec"]["serviceAccountName"] == "secrets"  # at the API server
        assert pod["spec"]["automountServiceAccountToken"] is makes_secrets
        assert pod["spec"]["serviceAccountName"] != "default"
        for container in building.containers(pod):
            rights = container["securityContext"]
            assert rights["allowPrivilegeEscalation"] is False
            assert rights["readOnlyRootFilesystem"] is True
            assert rights["capabilities"]["drop"] == ["ALL"]
            assert set(rights["capabilities"].get("add", [])) <= {"NET_BIND_SERVICE"}
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}
            assert set(container["resources"]["limits"]) == {"cpu", "memory"}
            name, _, tag = container["image"].rpartition(":")
            assert name and tag and tag != "latest", container["image"]


def test_every_container_has_probes(combination: str) -> None:
    for pod in building.pods(combination):
        for container in pod["spec"]["containers"]:
            assert "livenessProbe" in container and "startupProbe" in container
            worker = pod["metadata"]["labels"]["app.kubernetes.io/component"] in ("worker", "relay")
            assert worker or "readinessProbe" in container


def test_referenced_objects_exist(combination: str) -> None:
    objects = building.objects(combination)
    made = {(item["kind"], item["metadata"]["name"]) for item in objects}
    made |= {("Secret", name) for name in building.secrets(combination)}
    accounts = {name for kind, name in made if kind == "ServiceAccount"}
    for pod in building.pods(combination, "Deployment", "Job"):
        assert pod["spec"]["serviceAccountName"] in accounts
        for container in building.containers(pod):
            for source in container.get("envFrom", []):
                assert ("ConfigMap", source["configMapRef"]["name"]) in made
        for volume in pod["spec"].get("volumes", []):
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in made
            if "persistentVolumeClaim" in volume:
                assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in made
            if not combination.startswith("base"):
                secrets = [volume.get("secret", {}).get("secretName")]
                secrets += [each["secret"]["name"] for each in volume.get("projected", {}).get("sources", [])]
                for name in {*secrets} - {None}:
                    assert ("Secret", name) in made
    targets = [item for item in objects if item["kind"] in ("HorizontalPodAutoscaler", "ScaledObject")]
    for item in targets:
        assert ("Deployment", item["spec"]["scaleTargetRef"]["name"]) in made


def test_every_service_and_disruption_budget_selects_pods(combination: str) -> None:
    labels = [pod["metadata"]["labels"] for pod in building.pods(combination, "Deployment", "Job")]
    foreign = {"cluster-name"}  # labels of an operator's pods
    for item in building.objects(combination):
        if item["kind"] == "Service" and item["spec"].get("selector"):
            chosen = item["spec"]["selector"]
        elif item["kind"] == "PodDisruptionBudget":
            chosen = item["spec"]["selector"]["matchLabels"]
        else:
            continue
        assert set(chosen) & foreign or any(chosen.items() <= each.items() for each in labels), item["metadata"]["name"]


def test_no_two_deployments_select_the_same_pods(combination: str) -> None:
    deployments = [item for item in building.objects(combination) if item["kind"] == "Deployment"]
    for one, other in itertools.permutations(deployments, 2):
        chosen = one["spec"]["selector"]["matchLabels"].items()
        assert not chosen <= other["spec"]["template"]["metadata"]["labels"].items()
