"""Every overlay and every sensible combination of components builds, is valid, and keeps this repository's rules.

Run by `make kubernetes-lint`, in .venv-kubernetes. No cluster is needed.
"""

import functools
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from local import kustomize, services
from local.bootstrap import ROOT

FOLDER = ROOT / "kustomize"
KUBERNETES = "1.34"
SERVICES = list(services.SERVICES.values())
SECRET_KEYS = ["SECRET_KEY", "DATABASE_URL", "DATABASE_OWNER_URL", "POSTGRES_PASSWORD"]
# What operators bring. Their schemas are not Kubernetes' own; the cluster that has the operator checks them.
FOREIGN = {
    "rabbitmq.com": "RabbitMQ's cluster operator",
    "keda.sh": "KEDA",
    "gateway.networking.k8s.io": "the Gateway API",
    "external-secrets.io": "the External Secrets Operator",
    "acid.zalan.do": "Zalando's Postgres operator",
    "monitoring.coreos.com": "Prometheus' operator",
}
ALONE = ["hpa", "keda", "pdb", "topology-spread", "network-policies", "node-ports", "mail-catcher", "load-test"]
ALONE += ["external-secrets", "gateway-api", "zalando-postgres", "cloud-managed-postgres", "monitoring"]
RELEASES = [
    f"{way}/{service}"
    for way in ("canary", "blue-green")
    for service in SERVICES
    if (FOLDER / "components" / way / service).exists()
]
COMBINATIONS: dict[str, list[str]] = {
    "overlays/minikube": [],
    "overlays/cloud": [],
    "base": [],
    **{f"base+{name}": [name] for name in ALONE},
    **{f"overlays/minikube+{name}": [name] for name in [*RELEASES, "keda", "monitoring"]},
    **{f"overlays/cloud+{name}": [name] for name in [*RELEASES, "canary-weights", "monitoring"]},
    "overlays/minikube+gateway-api+canary-weights": ["gateway-api", "canary-weights"],
    "base+external-secrets+cloud-managed-postgres+hpa+keda": [
        "external-secrets",
        "cloud-managed-postgres",
        "hpa",
        "keda",
    ],
}
Manifest = dict[str, Any]


@pytest.fixture(scope="session", autouse=True)
def secrets() -> Iterator[None]:
    """The minikube overlay's env files, where `make cluster-secrets` has not made them."""
    folder = FOLDER / "overlays" / "minikube" / "secrets"
    made = []
    folder.mkdir(mode=0o700, exist_ok=True)
    for service, part in itertools.product(services.SERVICES, ("ms", "db")):
        file = folder / f"{service}-{part}.env"
        if not file.exists():
            file.write_text("".join(f"{key}=only-for-building\n" for key in SECRET_KEYS))
            made.append(file)
    yield
    for file in made:
        file.unlink()


@functools.cache
def _rendered(combination: str) -> str:
    start = combination.partition("+")[0]
    folder = ROOT / ".local" / "kubernetes" / "tests" / combination.replace("/", "-")
    folder.mkdir(parents=True, exist_ok=True)
    up = os.path.relpath(FOLDER, folder)
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "tessera",
        "resources": [f"{up}/{start}"],
        "components": [f"{up}/components/{name}" for name in COMBINATIONS[combination]],
        "images": [
            {"name": f"tessera/{service}-{track}", "newName": f"tessera/{service}", "newTag": "0.2.0"}
            for service in SERVICES
            for track in ("canary", "green")
        ],
    }
    if start == "base" or "canary-weights" in combination:  # what an overlay names is named here, outside it
        names = [*(f"tessera/{service}" for service in SERVICES), "postgres", "rabbitmq", "caddy", "axllent/mailpit"]
        kustomization["images"] += [{"name": name, "newTag": "0.1.0"} for name in names]
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return kustomize.build(folder)


@functools.cache
def _objects(combination: str) -> list[Manifest]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [item for item in yaml.load_all(_rendered(combination), loader) if item]


@functools.cache
def _validate(item: str) -> None:
    """Once for all combinations that have the same object. Raises what is wrong."""
    kubernetes_validate.validate(json.loads(item), KUBERNETES, strict=True)


def _pods(combination: str, *kinds: str) -> list[Manifest]:
    return [item["spec"]["template"] for item in _objects(combination) if item["kind"] in (kinds or ("Deployment",))]


def _containers(pod: Manifest) -> list[Manifest]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


@pytest.fixture(params=list(COMBINATIONS))
def combination(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_all_is_valid_for_kubernetes(combination: str) -> None:
    for item in _objects(combination):
        if item["apiVersion"].partition("/")[0] not in FOREIGN:
            _validate(json.dumps(item))


@pytest.mark.parametrize("group", list(FOREIGN))
def test_what_an_operator_brings_is_left_to_its_own_schema(group: str) -> None:
    kinds = {
        item["kind"] for item in _objects("overlays/cloud+monitoring") if item["apiVersion"].startswith(f"{group}/")
    }
    assert kinds
    pytest.skip(f"{', '.join(sorted(kinds))}: the schema is that of {FOREIGN[group]}; an API server that has it checks")


def test_every_name_stands_once(combination: str) -> None:
    names = [(item["kind"], item["metadata"]["name"]) for item in _objects(combination)]

    assert len(names) == len(set(names))
    assert {item["metadata"].get("namespace", "tessera") for item in _objects(combination)} == {"tessera"}


def test_every_container_is_restricted_limited_and_of_a_named_version(combination: str) -> None:
    for pod in _pods(combination, "Deployment", "Job"):
        security = pod["spec"]["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert pod["spec"]["serviceAccountName"] != "default"
        for container in _containers(pod):
            rights = container["securityContext"]
            assert rights["allowPrivilegeEscalation"] is False
            assert rights["readOnlyRootFilesystem"] is True
            assert rights["capabilities"]["drop"] == ["ALL"]
            assert set(rights["capabilities"].get("add", [])) <= {"NET_BIND_SERVICE"}
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}
            assert set(container["resources"]["limits"]) == {"cpu", "memory"}
            name, _, tag = container["image"].rpartition(":")
            assert name and tag and tag != "latest", container["image"]


def test_every_program_is_looked_at(combination: str) -> None:
    for pod in _pods(combination):
        for container in pod["spec"]["containers"]:
            assert "livenessProbe" in container and "startupProbe" in container
            worker = pod["metadata"]["labels"]["app.kubernetes.io/component"] in ("worker", "relay")
            assert worker or "readinessProbe" in container


def test_names_that_are_referred_to_exist(combination: str) -> None:
    objects = _objects(combination)
    made = {(item["kind"], item["metadata"]["name"]) for item in objects}
    made |= {("Secret", item["metadata"]["name"]) for item in objects if item["kind"] == "ExternalSecret"}
    accounts = {name for kind, name in made if kind == "ServiceAccount"}
    for pod in _pods(combination, "Deployment", "Job"):
        assert pod["spec"]["serviceAccountName"] in accounts
        for container in _containers(pod):
            for source in container.get("envFrom", []):
                assert ("ConfigMap", source["configMapRef"]["name"]) in made
        for volume in pod["spec"]["volumes"]:
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in made
            if "persistentVolumeClaim" in volume:
                assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in made
            if not combination.startswith("base"):
                secrets = [volume.get("secret", {}).get("secretName")]
                secrets += [each["secret"]["name"] for each in volume.get("projected", {}).get("sources", [])]
                for name in {*secrets} - {None, "rabbitmq-default-user"}:
                    assert ("Secret", name) in made
    targets = [item for item in objects if item["kind"] in ("HorizontalPodAutoscaler", "ScaledObject")]
    for item in targets:
        assert ("Deployment", item["spec"]["scaleTargetRef"]["name"]) in made


def test_every_service_and_budget_chooses_pods(combination: str) -> None:
    labels = [pod["metadata"]["labels"] for pod in _pods(combination, "Deployment", "Job")]
    foreign = {"cluster-name"}  # pods of an operator
    for item in _objects(combination):
        if item["kind"] == "Service" and item["spec"].get("selector"):
            chosen = item["spec"]["selector"]
        elif item["kind"] == "PodDisruptionBudget":
            chosen = item["spec"]["selector"]["matchLabels"]
        else:
            continue
        assert set(chosen) & foreign or any(chosen.items() <= each.items() for each in labels), item["metadata"]["name"]


def test_no_two_deployments_choose_the_same_pods(combination: str) -> None:
    deployments = [item for item in _objects(combination) if item["kind"] == "Deployment"]
    for one, other in itertools.permutations(deployments, 2):
        chosen = one["spec"]["selector"]["matchLabels"].items()
        assert not chosen <= other["spec"]["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("overlay", ["overlays/cloud", "overlays/minikube+gateway-api"])
def test_a_canary_by_weight_gets_requests_in_no_other_way(overlay: str) -> None:
    for item in _objects(f"{overlay}+canary-weights"):
        if item["kind"] == "Service" and item["metadata"]["name"].startswith(("gateway-", "users-ms-")):
            canary = "canary" in item["metadata"]["name"]
            trusted = item["metadata"]["name"] == "gateway-headless-service"  # nobody sends requests to that
            assert trusted or item["spec"]["selector"]["tessera/track"] == ("canary" if canary else "stable")


def test_what_is_autoscaled_states_no_count() -> None:
    for overlay in ("overlays/minikube", "overlays/cloud"):
        objects = _objects(overlay)
        scaled = {
            item["spec"]["scaleTargetRef"]["name"]
            for item in objects
            if item["kind"] in ("HorizontalPodAutoscaler", "ScaledObject")
        }
        deployments = [item for item in objects if item["kind"] == "Deployment"]
        stated = {item["metadata"]["name"] for item in deployments if "replicas" in item["spec"]}
        assert {"users-ms-deployment", "auth-ms-deployment"} <= scaled
        assert not scaled & stated


def test_the_names_of_the_contract() -> None:
    names = {(item["kind"], item["metadata"]["name"]): item for item in _objects("overlays/minikube")}
    for service, port in (("users", 30400), ("auth", 30401), ("notification", 30402)):
        assert ("Deployment", f"{service}-ms-deployment") in names
        assert names["Service", f"{service}-ms-node-port-service"]["spec"]["ports"][0]["nodePort"] == port
        assert names["Service", f"{service}-ms-cluster-ip-service"]["spec"]["ports"][0]["port"] == 4000
        database = names["Deployment", f"{service}-db-deployment"]["spec"]
        assert (database["replicas"], database["strategy"]["type"]) == (1, "Recreate")
        assert names["Service", f"{service}-db-cluster-ip-service"]["spec"]["ports"][0]["port"] == 5432
        claim = names["PersistentVolumeClaim", f"{service}-db-persistent-volume-claim"]
        assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
        assert ("Service", f"{service}-db-node-port-service") in names
        web = names["Deployment", f"{service}-ms-deployment"]["spec"]["template"]["spec"]
        probe = web["containers"][0]["livenessProbe"]
        assert probe["httpGet"]["path"] == f"/{service}-ms/healthcheck"
        assert (probe["initialDelaySeconds"], probe["periodSeconds"]) == (5, 5)
    for name in ("notification-email-worker", "notification-sms-worker", "auth-event-worker", "users-outbox-relay"):
        strategy = names["Deployment", f"{name}-deployment"]["spec"]["strategy"]
        assert strategy["rollingUpdate"] == {"maxSurge": "25%", "maxUnavailable": "25%"}
    assert names["Service", "gateway-node-port-service"]["spec"]["ports"][0]["nodePort"] == 30480
    assert ("HorizontalPodAutoscaler", "users-ms-deployment") in names


def test_the_cloud_opens_no_node_port_and_no_load_test() -> None:
    text = _rendered("overlays/cloud")

    assert "NodePort" not in text
    assert "LOAD_TEST_ENABLED" not in text
    assert "kind: Secret\n" not in text


def test_load_is_sent_only_when_it_is_asked_for_and_never_for_long() -> None:
    assert not _pods("overlays/minikube", "Job")
    jobs = [item["spec"] for item in _objects("base+load-test") if item["kind"] == "Job"]
    assert len(jobs) == 2
    assert all(job["activeDeadlineSeconds"] <= 900 for job in jobs)


def test_every_pod_that_counts_something_is_read() -> None:
    monitored = "overlays/minikube+monitoring"
    monitors = [item["spec"] for item in _objects(monitored) if item["kind"] == "PodMonitor"]
    for pod in _pods(monitored):
        labels = pod["metadata"]["labels"]
        if labels["app.kubernetes.io/component"] not in ("web", "relay", "worker"):
            continue
        found = [each for each in monitors if _chooses(each["selector"], labels)]
        assert len(found) == 1, labels
        ports = {port["name"] for container in _containers(pod) for port in container.get("ports", [])}
        assert {each["port"] for each in found[0]["podMetricsEndpoints"]} <= ports


def _chooses(selector: Manifest, labels: dict[str, str]) -> bool:
    exact = selector.get("matchLabels", {}).items() <= labels.items()
    return exact and all(labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", []))


def test_the_alerts_are_those_of_compose() -> None:
    [rule] = [item for item in _objects("base+monitoring") if item["kind"] == "PrometheusRule"]

    assert rule["spec"] == yaml.safe_load((ROOT / "observability" / "rules.yml").read_text())


def test_a_changed_setting_has_another_name_and_so_rolls_out() -> None:
    def name(combination: str) -> str:
        maps = [item["metadata"]["name"] for item in _objects(combination) if item["kind"] == "ConfigMap"]
        return next(found for found in maps if found.startswith("users-ms-config-"))

    assert name("base") != name("base+load-test")


@pytest.mark.parametrize("overlay", ["overlays/minikube", "overlays/cloud"])
def test_checkov_finds_nothing_that_is_not_explained(overlay: str, tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(_rendered(overlay))
    checkov = [sys.executable, "-m", "checkov.main", "--directory", str(tmp_path), "--output", "json", "--quiet"]
    checkov += ["--config-file", str(FOLDER / ".checkov.yaml")]
    done = subprocess.run(checkov, capture_output=True, text=True, timeout=300)
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    failed = [
        f"{each['check_id']} {each['resource']}: {each['check_name']}" for each in report["results"]["failed_checks"]
    ]
    assert failed == []
    assert report["summary"]["passed"] > 100


def test_the_gateway_has_every_file_where_it_lies_here() -> None:
    """They are named one by one, because a ConfigMap has no folders."""
    folder = ROOT / "gateway"
    others = {"kustomization.yaml", "compose.Caddyfile"}
    here = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()} - others
    objects = {(item["kind"], item["metadata"]["name"]): item for item in _objects("overlays/minikube")}
    pod = objects["Deployment", "gateway-deployment"]["spec"]["template"]["spec"]
    [files] = [volume["configMap"] for volume in pod["volumes"] if volume["name"] == "files"]
    contents = objects["ConfigMap", files["name"]]["data"]

    assert {item["path"] for item in files["items"]} == here
    for item in files["items"]:
        assert contents[item["key"]] == (folder / item["path"]).read_text()
