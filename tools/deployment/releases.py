"""Releases a new version beside the running one: as a canary, with a share of the requests, or as blue-green."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from local.paths import ROOT
from tools.deployment import kubernetes, kustomize
from tools.deployment.kubernetes import kubectl

WEIGHT = 20
TRACKS = {"canary": "canary", "blue-green": "green"}
OVERLAY = ROOT / "kustomize" / "overlays" / os.environ.get("OVERLAY", "minikube")
ROUTE = "tessera"  # the HTTPRoute of the component gateway-api; if it exists, canaries have a weight
WEIGHTED = "users-ms"  # the service that the component canary-weights is for
ROLLOUT_SECONDS = 300
ENDPOINT_SECONDS = 12  # until DNS caches and all nodes have a Service's new pods


def release(*, way: str, step: str, service: str, version: str | None, weight: int) -> None:
    """Checks the current context, then runs a command such as `make canary-start`."""
    kubernetes.check_context()
    run(way, step, service, version=version, weight=weight)


def run(way: str, step: str, service: str, *, version: str | None, weight: int) -> None:
    """Runs one step of a release of one web service, such as users-ms."""
    stable = _deployment(f"{service}-deployment")
    if stable is None:
        sys.exit("Tessera is not running on this cluster. Start it with: make minikube")
    other = _deployment(f"{service}-{TRACKS[way]}-deployment")
    if step == "start":
        if not version:
            sys.exit(f"Name the version: make {way}-start VERSION=0.2.0")
        if not 1 <= weight <= 90:
            sys.exit("WEIGHT is the new version's percentage of the requests, from 1 to 90.")
        if way == "blue-green" and other is not None:
            sys.exit("Green is running already. First run: make blue-green-finish or make blue-green-abort")
        _start(way, service, version, weight, stable)
        return
    if other is None and step != "abort":
        sys.exit(f"No {way} release of {service} is running. Start one: make {way}-start VERSION=0.2.0")
    steps = {
        ("canary", "promote"): _promote_canary,
        ("canary", "abort"): _abort_canary,
        ("blue-green", "promote"): _promote_green,
        ("blue-green", "finish"): _finish_green,
        ("blue-green", "abort"): _abort_green,
    }
    if step == "status":
        _show(way, service)
    else:
        steps[way, step](service)


def _deployment(name: str) -> dict[str, Any] | None:
    return next((found for found in kubernetes.objects("deployments") if found["metadata"]["name"] == name), None)


def _start(way: str, service: str, version: str, weight: int, stable: dict[str, Any]) -> None:
    weighted = way == "canary" and _has_route()
    if weighted and service != WEIGHTED:
        sys.exit(f"Only {WEIGHTED} supports a canary by weight; see kustomize/components/canary-weights/README.md.")
    running, name = stable["spec"]["replicas"], f"{service}-{TRACKS[way]}"
    count = running if way == "blue-green" else max(1, round(running * weight / (100 - weight)))
    if way == "blue-green" or weighted:
        _send_requests(service, to="stable")  # before the new pods start, so that they get no requests
    folder = _write_kustomization(service, name, "canary-weights" if weighted else f"{way}/{service}", version, count)
    _apply_settings(folder)
    kubectl("apply", "--kustomize", str(folder), "--selector", f"tessera/track={TRACKS[way]}")
    print(f"{name}: {count} pods of version {version} beside {running} of the running version", flush=True)
    if not _rolled_out(f"{name}-deployment") or (weighted and not _rolled_out("gateway-canary-deployment")):
        print(_pods(service))
        sys.exit(f"The new version is not ready and gets no requests. Remove it: make {way}-abort")
    if weighted:
        _weigh(weight)
    if way == "canary":
        share = weight if weighted else 100 * count / (count + running)
        print(f"It gets about {share:.0f} % of the requests. Next: make canary-status, canary-promote or canary-abort")
    else:
        print(
            f"It gets no requests yet. Test it: kubectl --namespace tessera port-forward "
            f"service/{name}-cluster-ip-service 4000\nNext: make blue-green-promote or blue-green-abort"
        )


def _write_kustomization(service: str, name: str, component: str, version: str, count: int) -> Path:
    """Writes the overlay with the component; only its new track is applied."""
    repository = _image(f"{service}-deployment").rpartition(":")[0]
    caddy, _, caddy_version = _image("gateway-deployment").rpartition(":")
    folder = ROOT / ".local" / "kubernetes" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kustomization.yaml").write_text(
        f"""apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: {kubernetes.NAMESPACE}
resources: [../../../kustomize/overlays/{OVERLAY.name}]
components: [../../../kustomize/components/{component}]
images:
  - {{name: tessera/{name}, newName: {repository}, newTag: "{version}"}}
  - {{name: caddy, newName: {caddy}, newTag: "{caddy_version}"}}
replicas: [{{name: {name}-deployment, count: {count}}}]
"""
    )
    return folder


def _apply_settings(folder: Path) -> None:
    """Creates the ConfigMaps that the new pods mount, if the overlay has changed since it was applied.

    A hash of its content is part of the name of each, so none that running pods use is changed.
    """
    every = yaml.safe_load_all(kustomize.build(folder))
    maps = [each for each in every if each and each["kind"] == "ConfigMap"]
    kubectl("apply", "--filename=-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": maps}))


def _has_route() -> bool:
    return kubectl("get", "httproute", ROUTE, check=False).returncode == 0


def _weigh(weight: int) -> None:
    """Splits the requests between the two gateways; weight 0 sends all to the stable one."""
    backends = [{"name": "gateway-cluster-ip-service", "port": 8080, "weight": 100 - weight}]
    if weight:
        backends.append({"name": "gateway-canary-cluster-ip-service", "port": 8080, "weight": weight})
    patch = [{"op": "replace", "path": "/spec/rules/0/backendRefs", "value": backends}]
    kubectl("patch", "httproute", ROUTE, "--type=json", "--patch", json.dumps(patch))


def _rolled_out(deployment: str) -> bool:
    command = ["rollout", "status", f"deployment/{deployment}", f"--timeout={ROLLOUT_SECONDS}s"]
    done = kubectl(*command, check=False, capture_output=False)
    return done.returncode == 0


def _show(way: str, service: str) -> None:
    print(_pods(service))
    if way == "blue-green":
        print(f"Requests go to: {_live_track(service)}")
    for track in ("stable", TRACKS[way]):
        print(f"{track}: {_answers(service, track)}")


def _pods(service: str) -> str:
    columns = (
        "POD:.metadata.name,TRACK:.metadata.labels.tessera/track,IMAGE:.spec.containers[0].image,"
        "READY:.status.containerStatuses[0].ready,RESTARTS:.status.containerStatuses[0].restartCount"
    )
    selector = f"app.kubernetes.io/name={service}"
    return kubectl("get", "pods", "--selector", selector, "--output", f"custom-columns={columns}").stdout


def _answers(service: str, track: str) -> str:
    """The number of requests in the last minute from the logs of a track's pods."""
    selector = f"app.kubernetes.io/name={service},tessera/track={track}"
    logs = kubectl("logs", "--selector", selector, "--container=app", "--since=1m", "--tail=-1", check=False).stdout
    answered = failed = 0
    for line in logs.splitlines():
        if '"message": "request"' in line and "kube-probe" not in line:
            answered += 1
            failed += '"status": 5' in line
    return f"{answered} requests answered in the last minute, {failed} of them with a 5xx"


def _promote_canary(service: str) -> None:
    _take_over(service, image=_image(f"{service}-canary-deployment"))
    _remove_canary(service)
    print("The canary is removed; all pods run its version.")


def _abort_canary(service: str) -> None:
    _remove_canary(service)
    print("The canary is removed; its pods finish their requests.")


def _remove_canary(service: str) -> None:
    if not _has_route():
        kubectl("delete", "deployment", f"{service}-canary-deployment", "--ignore-not-found")
        return
    _weigh(0)
    time.sleep(ENDPOINT_SECONDS)
    kubectl("delete", "deployment,service", "--selector", "tessera/track=canary")
    _wait_for_no_pods(service, "canary")
    _send_requests(service, to=None)


def _promote_green(service: str) -> None:
    _send_requests(service, to="green")
    print("All requests go to green. Next: make blue-green-finish, or to roll back: make blue-green-abort")


def _finish_green(service: str) -> None:
    if _live_track(service) != "green":
        sys.exit("Green gets no requests. First run: make blue-green-promote")
    _take_over(service, image=_image(f"{service}-green-deployment"))  # while green serves
    _remove_green(service)
    print("The stable pods run green's version and get all requests; green is removed.")


def _abort_green(service: str) -> None:
    _remove_green(service)
    print("All requests go to the stable pods; green is removed.")


def _remove_green(service: str) -> None:
    _send_requests(service, to="stable")
    time.sleep(ENDPOINT_SECONDS)
    kubectl("delete", "deployment,service", "--selector", f"tessera/track=green,app.kubernetes.io/name={service}")
    kubectl("delete", "service", f"{service}-green-cluster-ip-service", "--ignore-not-found")
    _wait_for_no_pods(service, "green")
    _send_requests(service, to=None)


def _wait_for_no_pods(service: str, track: str) -> None:
    selector = f"app.kubernetes.io/name={service},tessera/track={track}"
    kubectl("wait", "pods", "--for=delete", "--selector", selector, "--timeout=120s", check=False)


def _image(deployment: str) -> str:
    found = _deployment(deployment)
    if found is None:
        sys.exit(f"{deployment} does not exist.")
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"])


def _take_over(service: str, *, image: str) -> None:
    """Rolls out `image` to the stable pods, then to the service's relays and workers."""
    name = service.removesuffix("-ms")
    parts = f"tessera/service={name},app.kubernetes.io/component in (web, relay, worker)"
    own = f"{parts},tessera/track notin (canary, green)"
    deployments = [found["metadata"]["name"] for found in kubernetes.objects("deployments", "--selector", own)]
    for deployment in sorted(deployments, key=lambda found: found != f"{service}-deployment"):
        kubectl("set", "image", f"deployment/{deployment}", f"app={image}", f"database={image}")
        if not _rolled_out(deployment):
            undo = f"kubectl --namespace {kubernetes.NAMESPACE} rollout undo deployment/{deployment}"
            sys.exit(f"{deployment} is not ready with {image}; to roll back: {undo}")
    tag = image.rpartition(":")[2]
    file = f"kustomize/overlays/{OVERLAY.name}/kustomization.yaml"
    print(f"To keep this version at the next `make minikube`, set newTag: {tag} in {file}")


def _live_track(service: str) -> str:
    found = kubernetes.objects("services", "--selector", _web_services(service))
    return str(found[0]["spec"]["selector"].get("tessera/track", "stable and green"))


def _send_requests(service: str, *, to: str | None) -> None:
    """Makes all Services of a web service select the pods of one track; None selects all."""
    for found in kubernetes.objects("services", "--selector", _web_services(service)):
        track = "null" if to is None else f'"{to}"'
        patch = f'{{"spec": {{"selector": {{"tessera/track": {track}}}}}}}'
        kubectl("patch", "service", found["metadata"]["name"], "--type=merge", "--patch", patch)


def _web_services(service: str) -> str:
    return f"app.kubernetes.io/name={service},app.kubernetes.io/component=web,tessera/track!=green"
