"""`make compose-test`: the tests across services on containers of their own, which are gone afterwards."""

import json
import subprocess
import sys
from typing import Any

from installation.service_catalog import SERVICES
from local import packages, ports
from local.paths import ROOT
from tools.deployment import compose
from tools.deployment.compose import Project
from tools.testing import runner

COMPOSE_FILES = "compose.yaml:tests/compose/compose.yaml"
DIRECTORY = ROOT / ".local" / "compose-test"
NEXT_VERSION = "0.2.0-test"  # what `make deploy` builds and starts
MORE_PORTS = ("LOADTEST_PORT", "SWAGGER_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT")  # of what starts on demand


def run(pytest: list[str], *, faults: bool = False) -> int:
    """Runs the suites, or those of `make chaos`, and returns the exit status, which is 2 without an engine; prints
    `N passed, N failed` last."""
    if not compose.engine_answers():
        print("This needs a Docker engine with Compose v2; none answers. Nothing was tested.", flush=True)
        return 2
    packages.ensure_browser()
    packages.ensure_registry()
    project = Project(DIRECTORY)
    with runner.alone(DIRECTORY):
        project.clean()
        _configure(project)
        try:
            project.up()
            suites = runner.suites_on("compose", _addresses(project), faults=faults)
            outcome = runner.run_all(DIRECTORY, suites, pytest)
            if not outcome.good:
                _keep_logs(project)
        finally:
            project.clean()
            built = [f"tessera/{name}:{NEXT_VERSION}" for name in (*SERVICES.values(), "loadtest")]
            subprocess.run(["docker", "image", "rm", *built], capture_output=True)  # those that a test built
    return outcome.report()


def _configure(project: Project) -> None:
    """The `.env` of the project: free ports, the tests' settings, and the file that hands them to the containers."""
    settings = {"COMPOSE_FILE": COMPOSE_FILES, "LOADTEST_TIME": "20s", "LOADTEST_USERS": "6"}
    settings |= runner.VARIABLES | runner.ALL_ROUTES
    settings |= {name: str(port) for name, port in ports.free(*MORE_PORTS).items()}
    project.environment.unlink(missing_ok=True)
    project.environment.touch(mode=0o600)
    project.environment.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))


def _addresses(project: Project) -> dict[str, str]:
    """What the tests know of the stack: of the databases, which have no port on the host, the containers' addresses."""
    databases = {f"{service.upper()}_DATABASE_URL": database_url(project, service) for service in SERVICES}
    [front] = _inspect(f"{project.name}_front")["IPAM"]["Config"]
    return {
        **project.addresses(),
        **databases,
        "TESSERA_DIRECTORY": str(project.directory),
        "TESSERA_COMMAND": runner.command("--directory", project.directory),
        "CLIENT_ADDRESS": front["Gateway"],
        "PYTHONPATH": str(ROOT),
    }


def database_url(project: Project, service: str) -> str:
    """That of a service's database as long as its container runs; restarted, it may have another address."""
    [container] = project.containers(f"{service}-db")
    [network] = _inspect(container)["NetworkSettings"]["Networks"].values()
    password = project.secrets[f"{service.upper()}_SERVICE_DB_PASSWORD"]
    return f"postgres://{service}_service:{password}@{network['IPAddress']}:5432/{service}"


def _inspect(name: str) -> dict[str, Any]:
    done = subprocess.run(["docker", "inspect", name], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout)[0])


def _keep_logs(project: Project) -> None:
    file = project.directory / "containers.log"
    with file.open("w") as output:
        project.run("logs", "--no-color", "--timestamps", stdout=output, stderr=subprocess.STDOUT)
    print(f"The logs of the containers are kept in {file.relative_to(ROOT)}", file=sys.stderr)
