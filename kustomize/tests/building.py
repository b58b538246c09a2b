"""Render overlays and combinations of components, each once."""

import functools
import os
from typing import Any

import yaml

from installation import service_catalog
from local.paths import ROOT
from tools.deployment import kustomize

FOLDER = ROOT / "kustomize"
SERVICES = list(service_catalog.SERVICES.values())
ALONE = ["hpa", "keda", "pdb", "topology-spread", "network-policies", "node-ports", "mail-catcher", "load-test"]
ALONE += [
    "external-secrets",
    "generated-secrets",
    "image-pull-secret",
    "gateway-api",
    "zalando-postgres",
    "cloud-managed-postgres",
    "monitoring",
]
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


@functools.cache
def rendered(combination: str) -> str:
    """Return the rendered YAML. Raises CalledProcessError when kustomize rejects it."""
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
    if start == "base" or "canary-weights" in combination:  # image tags that an overlay would set
        names = [*(f"tessera/{service}" for service in SERVICES), "postgres", "rabbitmq", "caddy", "axllent/mailpit"]
        kustomization["images"] += [{"name": name, "newTag": "0.1.0"} for name in names]
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return kustomize.build(folder)


@functools.cache
def objects(combination: str) -> list[Manifest]:
    """Return the rendered objects."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [item for item in yaml.load_all(rendered(combination), loader) if item]


def secrets(combination: str) -> set[str]:
    """Return the names of the Secrets that External Secrets or the Job of generated-secrets makes."""
    found = objects(combination)
    rules = [rule for item in found if item["kind"] == "Role" for rule in item["rules"]]
    generated = {name for rule in rules for name in rule.get("resourceNames", [])}
    return generated | {item["metadata"]["name"] for item in found if item["kind"] == "ExternalSecret"}


def pods(combination: str, *kinds: str) -> list[Manifest]:
    """Return the pod templates of Deployments, or of other kinds."""
    return [item["spec"]["template"] for item in objects(combination) if item["kind"] in (kinds or ("Deployment",))]


def containers(pod: Manifest) -> list[Manifest]:
    """Return the containers of a pod, init containers first."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
