"""`make minikube` and related commands: thin wrappers of kubectl on the current context."""

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from installation import broker_rights
from local.paths import ROOT
from tools import version

NAMESPACE = "tessera"
OVERLAY = ROOT / "kustomize" / "overlays" / "minikube"
OPERATOR = "https://github.com/rabbitmq/cluster-operator/releases/download/v2.16.0/cluster-operator.yml"
# A cluster whose context has another name must be confirmed in an environment variable.
OWN_CONTEXTS = ["minikube", "kind-*", "k3d-*", "docker-desktop", "rancher-desktop", "orbstack", "colima*"]
MAKES_SECRETS = "app.kubernetes.io/name=secrets"
START_SECONDS = 600
POLL_SECONDS = 3
GATEWAY_NODE_PORT = 30480
ADDRESSES = [
    ("gateway (all public routes)", GATEWAY_NODE_PORT, ""),
    ("Swagger UI of all services", GATEWAY_NODE_PORT, "/docs"),
    ("users-ms", 30400, "/users-ms/docs"),
    ("auth-ms", 30401, "/auth-ms/docs"),
    ("notification-ms", 30402, "/notification-ms/docs"),
    ("sent emails", 30825, "/api/v1/messages"),
]


def kubectl(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs kubectl in Tessera's namespace. Exits with its error message when it fails, unless check=False."""
    options = {"text": True, "check": True, "capture_output": True} | options
    check = options.pop("check")
    done = subprocess.run(["kubectl", "--namespace", NAMESPACE, *arguments], **options)
    if check and done.returncode:
        sys.exit(f"{done.stderr or ''}Command failed: kubectl {' '.join(arguments)}")
    return done


def objects(kind: str, *arguments: str) -> list[dict[str, Any]]:
    """All objects of a kind in the namespace."""
    found = json.loads(kubectl("get", kind, "--output=json", *arguments).stdout)["items"]
    return list(found)


def check_context(variable: str = "CLUSTER_CONTEXTS") -> str:
    """The name of the current context.

    Exits when kubectl is missing, when no cluster answers, and when the context is neither named like a local cluster
    nor listed in the environment variable.
    """
    if not shutil.which("kubectl"):
        sys.exit("kubectl is not on PATH. To install it, see https://kubernetes.io/docs/tasks/tools/")
    context = subprocess.run(["kubectl", "config", "current-context"], capture_output=True, text=True).stdout.strip()
    if not context:
        sys.exit("kubectl has no current context. Start a cluster, for example: minikube start")
    allowed = [*OWN_CONTEXTS, *os.environ.get(variable, "").split(",")]
    if not any(fnmatch(context, pattern) for pattern in allowed):
        sys.exit(
            f"The current context is {context}, which does not look like a local cluster. To use it anyway, set "
            f"{variable}={context}"
        )
    done = kubectl("version", "--request-timeout=10s", check=False)
    if done.returncode:
        sys.exit(f"{done.stderr}The cluster of the context {context} does not answer.")
    print(f"Kubernetes context: {context}", flush=True)
    return context


def secret(name: str) -> dict[str, str]:
    """What a Secret holds. Exits when there is none of that name."""
    found = json.loads(kubectl("get", "secret", name, "--output=json").stdout)
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}


def start() -> None:
    """Starts everything on the current cluster and returns when all of it is ready."""
    check_context()
    ensure_operator()
    apply(OVERLAY)
    host = node_host()
    print("\nTessera is running:")
    for name, port, path in ADDRESSES:
        print(f"  {name:30}http://{host}:{port}{path}")
    print(
        "\nNext: kubectl --namespace tessera get pods,hpa; make canary-start VERSION=...; "
        "to stop it and delete its data: kubectl delete namespace tessera"
    )


def apply(overlay: Path) -> None:
    """Applies an overlay and returns when all of it is ready."""
    print(f"Applying {overlay.relative_to(ROOT)}", flush=True)
    kubectl("delete", "job", f"--selector={MAKES_SECRETS}", "--ignore-not-found")  # it cannot be changed
    kubectl("apply", "--kustomize", str(overlay))
    wait_until_ready()
    _remove_other_broker_users()


def _remove_other_broker_users() -> None:
    """Removes unknown users, such as the one that all processes of an older version shared."""
    control = ["exec", "rabbitmq-server-0", "--container=rabbitmq", "--", "rabbitmqctl", "--quiet"]
    found = json.loads(kubectl(*control, "list_users", "--formatter=json").stdout)
    for user in (each["user"] for each in found if each["user"] not in broker_rights.names()):
        kubectl(*control, "delete_user", user)
        print(f"rabbitmq: removed the user {user}, which no process uses any more", flush=True)


def ensure_operator() -> None:
    """Makes sure that RabbitMQ's cluster operator is installed, after confirmation. Exits when it is not."""
    if kubectl("get", "crd", "rabbitmqclusters.rabbitmq.com", check=False).returncode == 0:
        return
    command = ["kubectl", "apply", "--filename", OPERATOR]
    print(f"RabbitMQ's cluster operator is missing. To install it for the whole cluster:\n  {' '.join(command)}")
    if not sys.stdin.isatty() or input("Run this now? Type yes: ") != "yes":
        sys.exit("Run it, then repeat this command.")
    subprocess.run(command, check=True)
    wait = ["rollout", "status", "deployment/rabbitmq-cluster-operator", "--namespace=rabbitmq-system"]
    subprocess.run(["kubectl", *wait, "--timeout=300s"], check=True)


def wait_until_ready() -> None:
    """Returns when RabbitMQ and every Deployment are rolled out; prints what is missing. Exits after START_SECONDS."""
    deadline = time.monotonic() + START_SECONDS
    printed = None
    while waiting := _not_ready():
        if time.monotonic() > deadline:
            sys.exit(
                f"Not ready after {START_SECONDS} s:\n{_problems()}\nSee: kubectl --namespace {NAMESPACE} get pods"
            )
        if waiting != printed:
            print(f"  waiting for {', '.join(waiting)}", flush=True)
            printed = waiting
        time.sleep(POLL_SECONDS)


def _not_ready() -> list[str]:
    names = set()
    for broker in objects("rabbitmqclusters"):
        status = broker.get("status", {})
        conditions = {item["type"]: item["status"] for item in status.get("conditions", [])}
        current = status.get("observedGeneration", 0) >= broker["metadata"]["generation"]
        if not current or conditions.get("AllReplicasReady") != "True":
            names.add(broker["metadata"]["name"])
    for nodes in objects("statefulsets", "--selector=app.kubernetes.io/component=rabbitmq"):
        if not _is_rolled_out(nodes):  # the old node stays ready until it is restarted
            names.add(nodes["metadata"]["name"].removesuffix("-server"))
    for deployment in objects("deployments"):
        if not _is_rolled_out(deployment):
            names.add(deployment["metadata"]["name"].removesuffix("-deployment"))
    return sorted(names)


def _is_rolled_out(workload: dict[str, Any]) -> bool:
    wanted, status = workload["spec"]["replicas"], workload.get("status", {})
    current = status.get("observedGeneration", 0) >= workload["metadata"]["generation"]
    counts = [status.get(count, 0) for count in ("replicas", "updatedReplicas", "availableReplicas")]
    return current and all(count == wanted for count in counts)


def _problems() -> str:
    """Why containers do not run, such as a missing image."""
    lines = []
    for pod in objects("pods"):
        status = pod["status"]
        for container in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
            if waiting := container["state"].get("waiting"):
                reason = f"{waiting.get('reason', '')} {waiting.get('message', '')}".strip()
                lines.append(f"  {pod['metadata']['name']}, {container['name']}: {reason}")
        lines += [
            f"  {pod['metadata']['name']}: {condition.get('message', '')}"
            for condition in status.get("conditions", [])
            if condition["type"] == "PodScheduled" and condition["status"] != "True"
        ]
    made = kubectl("logs", f"--selector={MAKES_SECRETS}", check=False).stdout
    lines += [f"  {line}" for line in made.splitlines() if "Lost" in line or "Error" in line]
    if any("ImagePull" in line for line in lines):
        image = f"tessera/users-ms:{version.current()}"
        lines.append(f"  For images that exist only here: make images; minikube image load {image}")
    return "\n".join(lines)


def node_host() -> str:
    """The address at which node ports answer: this machine, or the node."""
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex(("127.0.0.1", GATEWAY_NODE_PORT)) == 0:
            return "127.0.0.1"
    addresses = objects("nodes")[0]["status"]["addresses"]
    return next(str(item["address"]) for item in addresses if item["type"] == "InternalIP")
