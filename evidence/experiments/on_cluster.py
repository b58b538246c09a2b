"""Observe and change the web services of the current cluster; every change is undone."""

import functools
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from evidence.harness.background import repeating
from evidence.harness.records import Recorder
from evidence.harness.waiting import eventually
from local.paths import ROOT
from tools.deployment import kubernetes
from tools.deployment.cluster import Cluster
from tools.deployment.kubernetes import kubectl
from tools.testing import cluster_tests

SAMPLE_SECONDS = 1.0
ROLLOUT_SECONDS = 240
FEWEST = 2


def ready() -> dict[str, str]:
    """The addresses of Tessera on the cluster. Exits when it is not running, or when a canary or green is."""
    found = kubernetes.objects("deployments")
    names = {deployment["metadata"]["name"] for deployment in found}
    if "users-ms-deployment" not in names:
        sys.exit("Tessera is not running on this cluster. Start it with: make minikube")
    if beside := [name for name in names if "-canary-" in name or "-green-" in name]:
        sys.exit(f"Another release is in progress: {', '.join(beside)}. First: make canary-abort or blue-green-abort")
    kubernetes.wait_until_ready()
    return Cluster().addresses()


def deployment(name: str) -> dict[str, Any]:
    """A Deployment as the cluster has it."""
    return dict(json.loads(kubectl("get", f"deployment/{name}-deployment", "--output=json").stdout))


def image(name: str) -> str:
    """The image of a Deployment's pods."""
    return str(deployment(name)["spec"]["template"]["spec"]["containers"][0]["image"])


def pods(name: str) -> list[dict[str, Any]]:
    """All pods of a program, including terminating ones."""
    return kubernetes.objects("pods", "--selector", f"app.kubernetes.io/name={name}")


def is_ready(pod: dict[str, Any]) -> bool:
    """True when a pod receives requests."""
    conditions = {item["type"]: item["status"] for item in pod["status"].get("conditions", [])}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def version(pod: dict[str, Any]) -> str:
    """The tag of a pod's image."""
    return str(pod["spec"]["containers"][0]["image"].rpartition(":")[2])


def rolled_out(name: str) -> None:
    """Wait until all pods of a Deployment have the newest version and are ready, and older ones are gone."""
    kubectl("rollout", "status", f"deployment/{name}-deployment", f"--timeout={ROLLOUT_SECONDS}s")
    eventually(lambda: all(is_ready(pod) for pod in pods(name)), seconds=ROLLOUT_SECONDS)


def set_image(name: str, reference: str) -> None:
    """Start the rollout of another image."""
    kubectl("set", "image", f"deployment/{name}-deployment", f"app={reference}", f"database={reference}")


def patch(kind: str, name: str, change: Any, how: str = "strategic") -> None:
    """Patch an object."""
    kubectl("patch", kind, f"{name}-deployment", f"--type={how}", "--patch", json.dumps(change))


@contextmanager
def watched(recorder: Recorder, name: str) -> Iterator[None]:
    """Within the block, record the pods of a program every second, and the ready ones by version."""

    seen: set[str] = set()
    printed: Counter[str] = Counter()

    def watch() -> None:
        nonlocal printed
        at, found = recorder.now(), pods(name)
        ready = Counter(version(pod) for pod in found if is_ready(pod))
        seen.update(version(pod) for pod in found)
        for each in sorted(seen):
            recorder.add("ready pods", each, ready[each], seconds=at)
        recorder.add("pods", "all", len(found), seconds=at)
        if ready != printed:
            recorder.say("ready: " + (", ".join(f"{count} of {tag}" for tag, count in ready.items()) or "none"))
            printed = ready

    with repeating(watch, pause=SAMPLE_SECONDS):
        yield


@contextmanager
def fixed_at(name: str, replicas: int) -> Iterator[None]:
    """Within the block, hold a web service at this number of pods."""
    before = json.loads(kubectl("get", f"hpa/{name}-deployment", "--output=json").stdout)["spec"]
    patch("hpa", name, {"spec": {"minReplicas": replicas, "maxReplicas": replicas}}, "merge")
    try:
        kubectl("scale", f"deployment/{name}-deployment", f"--replicas={replicas}")
        rolled_out(name)
        yield
    finally:
        kept = {"minReplicas": before["minReplicas"], "maxReplicas": before["maxReplicas"]}
        patch("hpa", name, {"spec": kept}, "merge")
        kubectl("scale", f"deployment/{name}-deployment", f"--replicas={before['minReplicas']}")


@contextmanager
def image_kept(name: str) -> Iterator[str]:
    """Yield the running image, and restore it afterwards."""
    before = image(name)
    try:
        yield before
    finally:
        if image(name) != before:
            set_image(name, before)
        rolled_out(name)


def build(tag: str, base: str, *, broken: bool) -> str:
    """Build another version of the running image, with the same code or a broken one, and load it into the nodes."""
    if not shutil.which("docker"):
        sys.exit("No Docker engine: it is needed to build the image of another version.")
    name = f"{base.rpartition(':')[0]}:{tag}"
    folder = ROOT / "evidence" / "experiments" / "broken"
    command = ["docker", "build", "--quiet", "--build-arg", f"BASE={base}", "--tag", name]
    command += ["--target", "broken" if broken else "next", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    _load(name)
    return name


@functools.cache
def _load(name: str) -> None:
    loader = cluster_tests.image_loader(kubernetes.check_context())
    subprocess.run([*shlex.split(loader), name], cwd=ROOT, check=True, stdout=subprocess.DEVNULL, env=os.environ)
