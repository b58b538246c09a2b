"""`python -m tools COMMAND`, called by the Makefile, which describes each command (`make help ALL=1`)."""

from pathlib import Path

from installation.service_catalog import SERVICES
from local.paths import ROOT
from tools.command_line import Argument, Command, argument, main
from tools.moving import formats, importing

COMMON = (
    argument(
        "--directory",
        type=lambda text: Path(text).resolve(),
        default=ROOT / ".local",
        help="the folder for the stack's files (default: .local)",
    ),
    argument("--cluster", action="store_true", help="use the stack on the current Kubernetes cluster"),
)
PYTEST = argument("pytest", nargs="*", help="arguments for pytest, after --")
REGISTRY = argument("--registry", default="", help="where the images of the Kubernetes bundle are")
SERVICE = argument("service", choices=SERVICES)


def on_stack(name: str, *arguments: Argument) -> Command:
    """A command for the running stack: local processes, Compose or a cluster."""
    return Command(f"tools.stack_commands:{name}", arguments, common=True)


def release(way: str, *steps: str) -> Command:
    """A command for one step of a release on the cluster."""
    arguments = (
        argument("step", choices=steps),
        argument("service", choices=list(SERVICES.values())),
        argument("--version"),
        argument("--weight", type=int, default=20),
    )
    return Command("tools.deployment.releases:release", arguments, values={"way": way})


COMMANDS = {
    "up": on_stack("up", argument("--free-ports", action="store_true")),
    "down": on_stack("down"),
    "clean": on_stack("clean"),
    "status": on_stack("status"),
    "logs": on_stack(
        "logs", argument("program", nargs="?"), argument("--no-follow", dest="follow", action="store_false")
    ),
    "start": on_stack("start", argument("program")),
    "stop": on_stack("stop", argument("program")),
    "manage": on_stack("manage", SERVICE, argument("arguments", nargs="...")),
    "admin": on_stack(
        "admin", argument("email"), argument("--promote", action="store_true", help="make an existing user an admin")
    ),
    "import": on_stack(
        "import_users",
        argument("file", type=Path),
        argument("--format", dest="system", choices=["", *importing.ROWS, *formats.FORMATS], default=""),
        argument("--parameters", type=Path, help="Firebase's password hash parameters"),
    ),
    "export": on_stack(
        "export_users",
        argument("--file", type=Path),
        argument("--user", type=int, help="the id of one user, whose data of all services is exported"),
    ),
    "backup": on_stack("backup"),
    "restore": on_stack("restore", argument("file", type=Path)),
    "deploy": on_stack("deploy"),
    "demo": on_stack("demo"),
    "demo-oidc": on_stack("demo_oidc"),
    "seed": on_stack("seed"),
    "dev": on_stack("dev"),
    "test": Command(
        "tools.testing.runner:test",
        (argument("--service", choices=["chassis", *SERVICES], help="run only its own tests"), PYTEST),
    ),
    "test-more": Command("tools.testing.runner:test_more", (PYTEST,)),
    "cover": Command("tools.testing.coverage:run", (PYTEST,)),
    "mutants": Command("tools.testing.mutation:run", (argument("targets", nargs="*"),)),
    "compose-test": Command("tools.testing.compose_tests:run", (PYTEST,)),
    "cluster-test": Command("tools.testing.cluster_tests:run", (PYTEST,)),
    "brokers": Command("tools.testing.brokers:run", (PYTEST,)),
    "docs-test": Command("tools.documents.execution:run", (argument("documents", nargs="*"),)),
    "check-documents": Command("tools.documents.checking:check"),
    "generate": Command("tools.documents.generated:run", (argument("--check", action="store_true"),)),
    "version": Command("tools.documents.generated:change_version", (argument("version"),)),
    "release": Command("tools.release:prepare", (argument("version"), REGISTRY)),
    "release-files": Command("tools.release:write_files", (REGISTRY,)),
    "audit": Command(
        "tools.supply_chain.auditing:run",
        (argument("--lint", dest="in_lint", action="store_true", help="succeed if the package index does not answer"),),
    ),
    "sbom": Command("tools.supply_chain.sboms:write_all", (argument("--version", required=True),)),
    "new-service": Command(
        "tools.new_service:make",
        (argument("name"), argument("--outbox", action="store_true", help="it publishes events")),
    ),
    "minikube": Command("tools.deployment.kubernetes:start"),
    "canary": release("canary", "start", "status", "promote", "abort"),
    "blue-green": release("blue-green", "start", "status", "promote", "finish", "abort"),
}

if __name__ == "__main__":
    main("tools", COMMANDS, COMMON)
