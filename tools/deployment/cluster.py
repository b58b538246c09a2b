"""The stack on the current Kubernetes cluster, with the same commands as local processes and Compose."""

import json
import os
import sys

from installation import broker_rights, cluster
from local.paths import ROOT
from tools.deployment import kubernetes
from tools.deployment.kubernetes import kubectl

STOP_SECONDS = 180
REPLICAS = "tessera/replicas"  # annotation: the number of replicas before the program was stopped
PAUSED = "rabbitmq.com/pauseReconciliation"  # otherwise the operator restarts a stopped broker
DATABASE_PORTS = {"users": 30540, "auth": 30541, "notification": 30542}


class Cluster:
    """The stack of `make minikube`. Programs have the same names as in Compose: users-ms, users-db, rabbitmq."""

    directory = ROOT / ".local" / "cluster-test"

    def stop(self, program: str) -> None:
        """Scales a program to zero pods and returns when they have ended."""
        name, replicas = self._workload(program), self._replicas(program)
        if program == "rabbitmq":
            kubectl("label", "rabbitmqcluster", "rabbitmq", f"{PAUSED}=true", "--overwrite")
        kubectl("annotate", name, f"{REPLICAS}={replicas}", "--overwrite")
        kubectl("scale", name, "--replicas=0")
        wait = ["--for=delete", f"--selector={self._selector(program)}", f"--timeout={STOP_SECONDS}s"]
        kubectl("wait", "pods", *wait)

    def start(self, program: str) -> None:
        """Restores the pods of a stopped program and returns when they are ready."""
        name = self._workload(program)
        found = json.loads(kubectl("get", name, "--output=json").stdout)
        kubectl("scale", name, f"--replicas={found['metadata']['annotations'][REPLICAS]}")
        kubectl("rollout", "status", name, f"--timeout={kubernetes.START_SECONDS}s")
        if program == "rabbitmq":
            kubectl("label", "rabbitmqcluster", "rabbitmq", f"{PAUSED}-")

    def manage(self, service: str, *arguments: str) -> int:
        """Runs a command of a service's manage.py in one of its web pods; passes an admin's password through a pipe."""
        pod, password = [f"deployment/{service}-ms-deployment", "--container=app"], os.environ.get("ADMIN_PASSWORD")
        given = ["env", "ADMIN_PASSWORD_FILE=/dev/stdin"] if password else []
        command = ["exec", *(["--stdin"] if password else []), *pod, "--", *given, "python", "manage.py"]
        return kubectl(*command, *arguments, check=False, capture_output=False, input=password).returncode

    def manage_command(self, service: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
        """The command and environment of a service's manage.py in one of its web pods, to be started with pipes."""
        pod = [f"deployment/{service}-ms-deployment", "--container=app"]
        command = ["kubectl", "--namespace", kubernetes.NAMESPACE, "exec", "--stdin", *pod]
        return [*command, "--", "python", "manage.py", *arguments], dict(os.environ)

    def status(self) -> None:
        """Prints kubectl's table of pods."""
        kubectl("get", "pods", capture_output=False)

    def logs(self, program: str | None, *, follow: bool) -> None:
        """Prints the logs of a program's pods; with `follow`, their last lines and new ones until Ctrl-C."""
        if program is None:
            sys.exit("Name a program, such as users-ms.")
        how = ["--follow", "--tail=20"] if follow else ["--tail=-1"]
        kubectl("logs", f"--selector={self._selector(program)}", "--all-containers", *how, capture_output=False)

    def addresses(self) -> dict[str, str]:
        """The URLs for the demo and the tests."""
        host = kubernetes.node_host()
        ports = {"USERS": 30400, "AUTH": 30401, "NOTIFICATION": 30402, "GATEWAY": 30480, "MAIL": 30825}
        return {f"{name}_URL": f"http://{host}:{port}" for name, port in ports.items()}

    def database_urls(self) -> dict[str, str]:
        """The URLs for the roles that the services' processes use, through node ports."""
        urls = {}
        for service, port in DATABASE_PORTS.items():
            url = kubernetes.secret(f"{service}-ms-secrets")["DATABASE_URL"]
            inside = f"{service}-db-cluster-ip-service:5432"
            urls[f"{service.upper()}_DATABASE_URL"] = url.replace(inside, f"{kubernetes.node_host()}:{port}")
        return urls

    def broker_urls(self, port: int) -> dict[str, str]:
        """The broker as each of its users, through a port of the node."""
        passwords = cluster.broker_passwords(kubernetes.secret("broker-secrets"))
        return broker_rights.urls(passwords, f"{kubernetes.node_host()}:{port}")

    @staticmethod
    def _workload(program: str) -> str:
        return "statefulset/rabbitmq-server" if program == "rabbitmq" else f"deployment/{program}-deployment"

    @staticmethod
    def _selector(program: str) -> str:
        return f"app.kubernetes.io/name={program}"

    def _replicas(self, program: str) -> int:
        return int(json.loads(kubectl("get", self._workload(program), "--output=json").stdout)["spec"]["replicas"])
