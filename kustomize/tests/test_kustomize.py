"""Rules for single overlays and components. Run by `make kubernetes-lint`, in .venv-kubernetes."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from kustomize.tests import building
from kustomize.tests.building import FOLDER, Manifest
from local.paths import ROOT
from tools.deployment import kustomize


@pytest.mark.parametrize("overlay", ["overlays/cloud", "overlays/minikube+gateway-api"])
def test_a_weighted_canary_gets_requests_only_by_weight(overlay: str) -> None:
    for item in building.objects(f"{overlay}+canary-weights"):
        if item["kind"] == "Service" and item["metadata"]["name"].startswith(("gateway-", "users-ms-")):
            canary = "canary" in item["metadata"]["name"]
            trusted = item["metadata"]["name"] == "gateway-headless-service"  # receives no requests
            assert trusted or item["spec"]["selector"]["tessera/track"] == ("canary" if canary else "stable")


def test_autoscaled_deployments_set_no_replica_count() -> None:
    for overlay in ("overlays/minikube", "overlays/cloud"):
        objects = building.objects(overlay)
        scaled = {
            item["spec"]["scaleTargetRef"]["name"]
            for item in objects
            if item["kind"] in ("HorizontalPodAutoscaler", "ScaledObject")
        }
        deployments = [item for item in objects if item["kind"] == "Deployment"]
        stated = {item["metadata"]["name"] for item in deployments if "replicas" in item["spec"]}
        assert {"users-ms-deployment", "auth-ms-deployment"} <= scaled
        assert not scaled & stated


def test_the_names_in_the_contract() -> None:
    names = {(item["kind"], item["metadata"]["name"]): item for item in building.objects("overlays/minikube")}
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


def test_the_cloud_overlay_has_no_node_ports_and_no_load_test() -> None:
    text = building.rendered("overlays/cloud")

    assert "NodePort" not in text
    assert "LOAD_TEST_ENABLED" not in text
    assert "kind: Secret\n" not in text


@pytest.mark.parametrize("registry", ["localhost:5000/tessera", "europe-docker.pkg.dev/project/accounts"])
def test_the_job_that_makes_secrets_is_named_after_the_version_whatever_the_registry(
    registry: str, tmp_path: Path
) -> None:
    """A name with the registry's port or path would be rejected; a name without the version, at the next version."""
    shutil.copytree(FOLDER, tmp_path / "kustomize", ignore=shutil.ignore_patterns("tests"))
    for needed in ("gateway", "broker"):  # what the manifests read from elsewhere
        shutil.copytree(ROOT / needed, tmp_path / needed)
    overlay = tmp_path / "kustomize" / "overlays" / "minikube"
    file = overlay / "kustomization.yaml"
    image = "{name: tessera/users-ms, newTag: "
    assert image in file.read_text()
    moved = f"{{name: tessera/users-ms, newName: '{registry}/users-ms', newTag: 0.2.0}}"
    file.write_text(re.sub(rf"{re.escape(image)}[^}}]+}}", moved, file.read_text()))

    [job] = [item for item in yaml.safe_load_all(kustomize.build(overlay)) if item["kind"] == "Job"]

    assert job["metadata"]["name"] == "secrets-0.2.0"
    assert job["spec"]["template"]["spec"]["containers"][0]["image"] == f"{registry}/users-ms:0.2.0"


def test_every_pod_pulls_with_the_login_of_the_registry() -> None:
    pods = building.pods("base+image-pull-secret", "Deployment", "Job")

    assert len(pods) > 10
    assert all(pod["spec"]["imagePullSecrets"] == [{"name": "registry"}] for pod in pods)


def test_the_api_server_is_allowed_at_every_port_that_it_has_somewhere() -> None:
    """Its Service has 443, itself 6443 on most clusters and 8443 on minikube; policies see one or the other."""
    for combination in building.COMBINATIONS:
        for item in building.objects(combination):
            for rule in item["spec"].get("egress", []) if item["kind"] == "NetworkPolicy" else []:
                ports = {each["port"] for each in rule.get("ports", [])}
                assert not ports & {6443, 8443} or ports >= {443, 6443, 8443}, (combination, item["metadata"]["name"])


def test_load_is_only_sent_on_demand_and_for_a_limited_time() -> None:
    always = [item["metadata"]["name"] for item in building.objects("overlays/minikube") if item["kind"] == "Job"]
    assert [name.partition("-")[0] for name in always] == ["secrets"]
    jobs = [item["spec"] for item in building.objects("base+load-test") if item["kind"] == "Job"]
    assert len(jobs) == 2
    assert all(job["activeDeadlineSeconds"] <= 900 for job in jobs)


def test_every_pod_with_metrics_is_scraped_once() -> None:
    monitored = "overlays/minikube+monitoring"
    monitors = [item["spec"] for item in building.objects(monitored) if item["kind"] == "PodMonitor"]
    for pod in building.pods(monitored):
        labels = pod["metadata"]["labels"]
        if labels["app.kubernetes.io/component"] not in ("web", "relay", "worker"):
            continue
        found = [each for each in monitors if _chooses(each["selector"], labels)]
        assert len(found) == 1, labels
        ports = {port["name"] for container in building.containers(pod) for port in container.get("ports", [])}
        assert {each["port"] for each in found[0]["podMetricsEndpoints"]} <= ports


def _chooses(selector: Manifest, labels: dict[str, str]) -> bool:
    exact = selector.get("matchLabels", {}).items() <= labels.items()
    return exact and all(labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", []))


def test_the_alerts_are_the_same_as_in_compose() -> None:
    [rule] = [item for item in building.objects("base+monitoring") if item["kind"] == "PrometheusRule"]

    assert rule["spec"] == yaml.safe_load((ROOT / "observability" / "rules.yml").read_text())


def test_a_changed_setting_changes_the_config_map_name_and_rolls_out() -> None:
    def name(combination: str) -> str:
        maps = [item["metadata"]["name"] for item in building.objects(combination) if item["kind"] == "ConfigMap"]
        return next(found for found in maps if found.startswith("users-ms-config-"))

    assert name("base") != name("base+load-test")


@pytest.mark.parametrize("overlay", ["overlays/minikube", "overlays/cloud"])
def test_checkov_finds_nothing_unexpected(overlay: str, tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(building.rendered(overlay))
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


def test_the_gateway_mounts_every_file_at_its_path() -> None:
    """The files are listed one by one, because a ConfigMap has no directories."""
    folder = ROOT / "gateway"
    others = {"kustomization.yaml", "compose.Caddyfile", "compose.sh", "compose.swagger-ui.conf"}
    here = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()} - others
    objects = {(item["kind"], item["metadata"]["name"]): item for item in building.objects("overlays/minikube")}
    pod = objects["Deployment", "gateway-deployment"]["spec"]["template"]["spec"]
    [files] = [volume["configMap"] for volume in pod["volumes"] if volume["name"] == "files"]
    contents = objects["ConfigMap", files["name"]]["data"]

    assert {item["path"] for item in files["items"]} == here
    for item in files["items"]:
        assert contents[item["key"]] == (folder / item["path"]).read_text()


USERS_OF_THE_BROKER = {
    "users-outbox-relay",
    "auth-outbox-relay",
    "auth-event-worker",
    "notification-ms",
    "notification-email-worker",
    "notification-sms-worker",
}


def _mounted(pod: Manifest) -> dict[str, set[tuple[str, str]]]:
    """Return the Secrets that each container mounts: names without hash, and keys; * means all keys."""
    volumes: dict[str, set[tuple[str, str]]] = {}
    for volume in pod["spec"]["volumes"]:
        sources = [volume["secret"]] if "secret" in volume else []
        sources += [each["secret"] for each in volume.get("projected", {}).get("sources", [])]
        volumes[volume["name"]] = {
            (source.get("secretName", source.get("name")).rpartition("-secrets")[0], item["key"])
            for source in sources
            for item in source.get("items", [{"key": "*"}])
        }
    return {
        container["name"]: set().union(*(volumes[mount["name"]] for mount in container["volumeMounts"]))
        for container in building.containers(pod)
    }


@pytest.mark.parametrize("overlay", ["overlays/minikube", "overlays/cloud"])
def test_each_process_only_sees_its_own_broker_user(overlay: str) -> None:
    seen = {}
    for pod in building.pods(overlay):
        name = pod["metadata"]["labels"]["app.kubernetes.io/name"]
        for container, secrets in _mounted(pod).items():
            if keys := {key for secret, key in secrets if secret == "broker"}:
                assert container == "app"
                seen[name] = keys
    assert seen == {name: {name} for name in USERS_OF_THE_BROKER}


@pytest.mark.parametrize("overlay", ["overlays/minikube", "overlays/cloud"])
def test_only_the_senders_of_tokens_can_decrypt_them(overlay: str) -> None:
    private, public = set(), set()
    for pod in building.pods(overlay):
        name = pod["metadata"]["labels"]["app.kubernetes.io/name"]
        secrets = set().union(*_mounted(pod).values())
        private |= {name} if ("sealing", "SEALING_PRIVATE_KEY") in secrets else set()
        public |= {name} if ("sealing", "SEALING_PUBLIC_KEY") in secrets else set()
    assert private == {"notification-email-worker", "notification-sms-worker"}
    assert public == {"users-ms", "users-outbox-relay", "auth-ms", "auth-outbox-relay", "auth-event-worker"}


def test_the_broker_mounts_the_generated_users_and_permissions() -> None:
    objects = building.objects("overlays/minikube")
    made = {(item["kind"], item["metadata"]["name"]) for item in objects}
    [cluster] = [item for item in objects if item["kind"] == "RabbitmqCluster"]
    volumes = {
        each["name"]: each for each in cluster["spec"]["override"]["statefulSet"]["spec"]["template"]["spec"]["volumes"]
    }

    assert volumes["broker-users"]["secret"]["secretName"] in building.secrets("overlays/minikube")
    rights = volumes["broker-rights"]["configMap"]["name"]
    assert ("ConfigMap", rights) in made
    [loaded] = [item["data"] for item in objects if item["metadata"]["name"] == rights]
    assert loaded == {"rights.json": (ROOT / "broker" / "rights.json").read_text()}
    assert "load_definitions = /etc/rabbitmq/definitions\n" in cluster["spec"]["rabbitmq"]["additionalConfig"]
    [keda] = [item for item in building.objects("overlays/minikube+keda") if item["kind"] == "TriggerAuthentication"]
    assert keda["spec"]["secretTargetRef"][0]["name"] in building.secrets("overlays/minikube")


def test_every_queue_of_a_scaled_worker_is_a_trigger() -> None:
    permissions = json.loads((ROOT / "broker" / "rights.json").read_text())["permissions"]
    scaled = [item for item in building.objects("base+keda") if item["kind"] == "ScaledObject"]
    for item in scaled:
        worker = item["spec"]["scaleTargetRef"]["name"].removesuffix("-deployment")
        [rights] = [each["configure"] for each in permissions if each["user"] == worker]
        queues = {name for name in rights.removeprefix("^(").removesuffix(")$").split("|") if "[" not in name}
        assert {trigger["metadata"]["queueName"] for trigger in item["spec"]["triggers"]} == queues


@pytest.mark.parametrize("overlay", ["overlays/minikube", "overlays/cloud"])
def test_postgresql_does_not_log_values(overlay: str) -> None:
    wanted = {
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        "log_parameter_max_length_on_error": "0",
        "log_statement": "none",
    }
    servers = [
        item["spec"]["postgresql"]["parameters"] for item in building.objects(overlay) if item["kind"] == "postgresql"
    ]
    for pod in building.pods(overlay):
        if pod["metadata"]["labels"]["app.kubernetes.io/component"] == "database":
            arguments = pod["spec"]["containers"][0]["args"]
            servers.append(dict(each.split("=") for each in arguments if "=" in each))
    assert servers == [wanted] * 3
