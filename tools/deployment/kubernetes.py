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
from urllib.parse import urlsplit

from local import broker_rights, secret_values
from local.paths import ROOT
from local.service_catalog import SERVICES
from tools import version

NAMESPACE = "tessera"
OVERLAY = ROOT / "kustomize" / "overlays" / "minikube"
SECRETS = OVERLAY / "secrets"
OPERATOR = "https://github.com/rabbitmq/cluster-operator/releases/download/v2.16.0/cluster-operator.yml"
# A cluster whose context has another name must be confirmed in an environment variable.
OWN_CONTEXTS = ["minikube", "kind-*", "k3d-*", "docker-desktop", "rancher-desktop", "orbstack", "colima*"]
START_SECONDS = 600
POLL_SECONDS = 3
BROKER = "rabbitmq.tessera.svc:5672"  # also for KEDA, in its own namespace
BROKER_USERS = "users.json"
CAUGHT_MAIL = "mail-catcher-cluster-ip-service:1025"
# Secrets that cannot change after the first start, because existing data depends on them.
IMMUTABLE = ["POSTGRES_PASSWORD", "SIGNING_KEY_ENCRYPTION_KEY"]
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


def decoded(value: str) -> str:
    """The plain text of a value in a Secret."""
    return base64.b64decode(value).decode()


def make_secrets() -> None:
    """Writes the env files of the minikube overlay; keeps existing values of files and cluster.

    Exits when file and cluster have different values of an immutable secret.
    """
    SECRETS.mkdir(mode=0o700, exist_ok=True)
    in_cluster = _secrets_in_cluster()
    for name, wanted in _new_secrets().items():
        file, there = SECRETS / f"{name}.env", in_cluster.get(f"{name}-secrets", {})
        kept = secret_values.read(file)
        for key in IMMUTABLE:
            if key in kept and kept[key] != there.get(key, kept[key]):
                sys.exit(
                    f"The cluster has another {key} than {file.relative_to(ROOT)}. To keep the cluster's data, remove "
                    "that file and try again: it is then written with the cluster's values. "
                    f"To delete the data: kubectl delete namespace {NAMESPACE}"
                )
        secret_values.add(file, {key: value for key, value in (wanted | there).items() if key not in kept})
    _write_broker_users(SECRETS / "broker.env")
    print(f"Secrets: {SECRETS.relative_to(ROOT)}/", flush=True)


def _write_broker_users(file: Path) -> None:
    """Adds the definitions that the broker loads: the users in the URLs of `file`, with password hashes."""
    urls = secret_values.read(file)
    passwords = {broker_rights.secret_name(user): urlsplit(urls[user]).password or "" for user in broker_rights.names()}
    secret_values.replace(file, BROKER_USERS, json.dumps(json.loads(broker_rights.users(passwords))))


def _new_secrets() -> dict[str, dict[str, str]]:
    new: dict[str, dict[str, str]] = {}
    for service in SERVICES:
        owner, process = secret_values.random_value(), secret_values.random_value()
        address = f"{service}-db-cluster-ip-service:5432/{service}"
        new[f"{service}-db"] = {
            "POSTGRES_PASSWORD": owner,
            "DATABASE_OWNER_URL": f"postgres://{service}:{owner}@{address}",
        }
        new[f"{service}-ms"] = {
            "SECRET_KEY": secret_values.random_value(),
            "DATABASE_URL": f"postgres://{service}_service:{process}@{address}",
        }
    passwords = {broker_rights.secret_name(user): secret_values.random_value() for user in broker_rights.names()}
    new["broker"] = {user: broker_rights.url(user, passwords, BROKER) for user in broker_rights.names()}
    new["sealing"] = secret_values.encryption_keys()
    new["auth-ms"]["SIGNING_KEY_ENCRYPTION_KEY"] = secret_values.random_value()
    new["notification-ms"]["EMAIL_URL"] = f"smtp://{CAUGHT_MAIL}"
    new["notification-ms"]["SMS_URL"] = (
        f"mailto://{CAUGHT_MAIL}/?mode=insecure&from=sms@tessera.example&to=sms{{phone}}@tessera.example"
    )
    return new


def _secrets_in_cluster() -> dict[str, dict[str, str]]:
    """The newest Secret of each name, without the hash suffix; empty when no cluster answers."""
    if not shutil.which("kubectl"):
        return {}
    done = kubectl("get", "secrets", "--output=json", "--request-timeout=5s", check=False)
    found = json.loads(done.stdout)["items"] if done.returncode == 0 else []
    found.sort(key=lambda secret: secret["metadata"]["creationTimestamp"])
    return {
        secret["metadata"]["name"].rpartition("-")[0]: {
            key: decoded(value) for key, value in secret.get("data", {}).items()
        }
        for secret in found
    }


def start() -> None:
    """Starts everything on the current cluster and returns when all of it is ready."""
    check_context()
    make_secrets()
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
