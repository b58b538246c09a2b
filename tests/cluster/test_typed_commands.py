"""`kubectl apply -k` as typed in a fresh clone; last of all, because it deletes the namespace with its data."""

import base64
import json
import subprocess
import time

import pytest

from tools.deployment import kubernetes
from tools.deployment.kubernetes import kubectl
from tools.testing import tree_copy

APPLY = "kubectl apply -k kustomize/overlays/minikube"
DELETE = "kubectl delete -k kustomize/overlays/minikube"


@pytest.fixture(scope="module")
def typed(tmp_path_factory):
    """`typed(command)` runs it in a shell in a copy of the tree, and returns what it prints."""
    folder = tmp_path_factory.mktemp("clone")
    tree_copy.copy_tree(folder)

    def run(command):
        done = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def uids():
    """The pods, by name, without those of the Job."""
    pods = kubernetes.objects("pods", "--selector=app.kubernetes.io/name!=secrets")
    return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in pods}


def secrets():
    """What each Secret holds."""
    return {each["metadata"]["name"]: each.get("data") for each in kubernetes.objects("secrets")}


def test_an_apply_into_an_empty_cluster_makes_secrets_once_and_three_more_change_nothing(typed, stack):
    typed(DELETE)
    started = time.monotonic()
    typed(APPLY)
    kubernetes.wait_until_ready()
    user = stack.verified_user()
    assert stack.log_in(user["email"]).status_code == 200
    print(f"\n    from the apply to the first login: {time.monotonic() - started:.0f} s")
    kubernetes.wait_until_ready()
    pods, kept = uids(), secrets()
    log = kubectl("logs", f"--selector={kubernetes.MAKES_SECRETS}", "--tail=-1").stdout
    assert "auth-ms-secrets: made" in log
    values = [base64.b64decode(value).decode() for name in kept for value in (kept[name] or {}).values()]
    assert not [value for value in values if value in log]

    for _ in range(3):
        typed(APPLY)

    kubernetes.wait_until_ready()
    assert secrets() == kept
    assert uids().items() >= pods.items()  # the autoscaler may add some
    assert stack.log_in(user["email"]).status_code == 200


def test_a_lost_password_is_reported_and_put_back_by_its_owner(typed):
    lost = json.loads(kubectl("get", "secret", "auth-db-secrets", "--output=json").stdout)
    kubectl("delete", "secret", "auth-db-secrets")
    kubectl("delete", "job", f"--selector={kubernetes.MAKES_SECRETS}")

    typed(APPLY)
    kubectl("wait", "job", f"--selector={kubernetes.MAKES_SECRETS}", "--for=condition=Failed", "--timeout=300s")

    log = kubectl("logs", f"--selector={kubernetes.MAKES_SECRETS}", "--tail=-1").stdout
    assert "Lost: POSTGRES_PASSWORD of auth-db-secrets." in log
    names = [each["metadata"]["name"] for each in kubernetes.objects("secrets")]
    assert "auth-db-secrets" not in names
    kept = {"metadata": {"name": "auth-db-secrets"}, "data": lost["data"]}
    kubectl("create", "--filename=-", input=json.dumps({"apiVersion": "v1", "kind": "Secret"} | kept))
    kubectl("delete", "job", f"--selector={kubernetes.MAKES_SECRETS}")
    typed(APPLY)
    kubectl("wait", "job", f"--selector={kubernetes.MAKES_SECRETS}", "--for=condition=Complete", "--timeout=300s")


def test_the_job_may_read_no_other_secret():
    account = f"--as=system:serviceaccount:{kubernetes.NAMESPACE}:secrets"

    def may(*what):
        return kubectl("auth", "can-i", *what, account, check=False).stdout.strip() == "yes"

    assert may("get", "secret/auth-ms-secrets")
    assert may("create", "secrets")
    assert not may("get", "secret/rabbitmq-default-user")
    assert not may("list", "secrets")
    assert not may("delete", "secret/auth-ms-secrets")
    assert not may("get", "pods")
