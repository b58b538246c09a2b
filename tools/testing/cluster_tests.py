"""`make cluster-test`: the tests across services, and tests of orchestration, on the current Kubernetes cluster."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import requests

from installation.service_catalog import SERVICES
from local import packages
from local.paths import ROOT
from tools import version
from tools.deployment import compose, kubernetes
from tools.deployment.cluster import Cluster
from tools.testing import runner

DIRECTORY = ROOT / ".local" / "cluster-test"
BROKER_PORT = 30672
NEXT_VERSION = "0.1.1-test"  # the same code under another label: an image that the nodes have not seen
# How an image gets to the nodes, by the name of the context; CLUSTER_IMAGE_LOAD says it for another cluster.
LOADERS = {"minikube": "minikube image load", "kind-": "kind load docker-image", "k3d-": "k3d image import"}


def run(pytest: list[str], *, faults: bool = False) -> int:
    """Runs the suites, or those of `make chaos`, and returns the exit status; prints `N passed, N failed` last. The
    stack goes on running."""
    context = kubernetes.check_context("CLUSTER_TEST_CONTEXTS")
    packages.ensure_browser()
    with runner.alone(DIRECTORY):
        _load_images(context)
        kubernetes.ensure_operator()
        try:
            kubernetes.apply(_overlay())
            suites = runner.suites_on("cluster", _addresses(), faults=faults)
            outcome = runner.run_all(DIRECTORY, suites, pytest)
        finally:
            kubernetes.apply(kubernetes.OVERLAY)  # without the tests' settings
    print("Tessera goes on running on the cluster; to end it: kubectl delete namespace tessera")
    return outcome.report()


def image_loader(context: str) -> str:
    """The command that brings an image of the Docker engine to the nodes. Exits when it is not known."""
    loader = os.environ.get("CLUSTER_IMAGE_LOAD") or next(
        (command for prefix, command in LOADERS.items() if context.startswith(prefix)), ""
    )
    if not loader or not shutil.which(shlex.split(loader)[0]):
        sys.exit(
            "Say how an image of the Docker engine gets to the nodes of this cluster, for example: "
            "CLUSTER_IMAGE_LOAD='kind load docker-image'"
        )
    return loader


def _load_images(context: str) -> None:
    """Builds the images, one version and the next, and brings them to the nodes. Exits when that cannot be done."""
    loader = image_loader(context)
    if not compose.engine_answers():
        sys.exit("The images are built with a Docker engine, and none answers.")
    for built in (version.current(), NEXT_VERSION):
        print(f"Building the images of version {built}", flush=True)
        environment = os.environ | {"VERSION": built, "PLATFORMS": ""}
        bake = ["docker", "buildx", "bake", "--file", "docker-bake.hcl", "--load", "--progress=quiet"]
        subprocess.run(bake, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
        images = [f"tessera/{name}:{built}" for name in SERVICES.values()]
        print(f"Bringing them to the nodes: {loader}", flush=True)
        for image in images:
            subprocess.run([*shlex.split(loader), image], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def _overlay() -> Path:
    """The minikube overlay with the settings of the tests and a port for the broker."""
    folder = DIRECTORY / "overlay"
    folder.mkdir(parents=True, exist_ok=True)
    variables = runner.VARIABLES | runner.ALL_ROUTES
    settings = "".join(f"      - {name}={value}\n" for name, value in variables.items())
    generators = "".join(
        f"  - name: {service}-ms-config\n    namespace: tessera\n    behavior: merge\n    literals:\n{settings}"
        for service in SERVICES
    )
    (folder / "kustomization.yaml").write_text(
        f"""apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../../../tests/cluster/overlay]
configMapGenerator:
{generators}"""
    )
    return folder


def _addresses() -> dict[str, str]:
    """What the tests know of the stack."""
    cluster = Cluster()
    found = cluster.addresses() | cluster.database_urls()
    return found | {
        **cluster.broker_urls(BROKER_PORT),
        "CLIENT_ADDRESS": _client_address(found),
        "TESSERA_DIRECTORY": str(DIRECTORY),
        "TESSERA_COMMAND": runner.command("--cluster"),
        "NEXT_VERSION": NEXT_VERSION,
        "PYTHONPATH": str(ROOT),
    }


def _client_address(addresses: dict[str, str]) -> str:
    """Whom the services see behind a port of the node: on many clusters the node itself, as a session tells."""
    email, password = f"client.{os.urandom(6).hex()}@example.org", os.urandom(12).hex()
    user = {"name": "A", "surname": "Client", "email": email, "password": password}
    auth = f"{addresses['AUTH_URL']}/auth-ms/auth"
    requests.post(f"{addresses['USERS_URL']}/users-ms/users", json=user, timeout=10).raise_for_status()
    login = requests.post(f"{auth}/login", json={"username": email, "password": password}, timeout=10)
    login.raise_for_status()
    token = {"Authorization": f"Bearer {login.json()['access_token']}"}
    [session] = requests.get(f"{auth}/sessions", headers=token, timeout=10).json()["results"]
    return str(session["address"])
