"""`python -m tools COMMAND`: what the Makefile calls."""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from local import log_lines, ports, stack
from local.layout import Layout
from local.paths import ROOT
from local.service_catalog import SERVICES
from local.supervisor import Supervisor
from tools import demo, development, new_service
from tools.deployment import backups, compose, kubernetes, releases
from tools.deployment.cluster import Cluster
from tools.deployment.compose import Project
from tools.documents import checking, execution, generated
from tools.seeds import seeding
from tools.supply_chain import auditing, sboms
from tools.testing import brokers, cluster_tests, compose_tests, coverage, runner

START_AGAIN = "Nothing runs here. Start it with: make up"


def main() -> None:
    """Runs one command; Ctrl-C and SIGTERM end it in order."""
    arguments = _parser().parse_args()
    directory = Path(arguments.directory).resolve() if arguments.directory else ROOT / ".local"
    run_command(lambda: arguments.run(directory, arguments))


def run_command(command: Callable[[], Any]) -> None:
    """Run a command; an interruption and an expected failure exit with a message instead of a traceback."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        command()
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
    except (TimeoutError, RuntimeError, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"{error}")


def _interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools", description=__doc__)
    parser.add_argument("--directory", help="where the stack keeps its things (.local)")
    parser.add_argument("--cluster", action="store_true", help="the stack on the current Kubernetes cluster")
    commands = parser.add_subparsers(required=True)

    def add(name: str, run: Any, explanation: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=explanation)
        command.set_defaults(run=run)
        return command

    _add_stack(add)
    _add_tests(add)
    _add_clusters(add)
    _add_development(add)
    return parser


def _add_stack(add: Callable[..., argparse.ArgumentParser]) -> None:
    add("up", _up, "start everything").add_argument("--free-ports", action="store_true")
    add("down", _down, "stop everything, keep the data")
    add("clean", _clean, "stop everything, forget the data")
    add("status", _status, "what runs")
    logs = add("logs", _logs, "follow the logs")
    logs.add_argument("program", nargs="?")
    logs.add_argument("--no-follow", dest="follow", action="store_false")
    add("start", _start, "start one program").add_argument("program")
    add("stop", _stop, "stop one program").add_argument("program")
    manage = add("manage", _manage, "run a command of a service's manage.py")
    manage.add_argument("service", choices=SERVICES)
    manage.add_argument("arguments", nargs=argparse.REMAINDER)
    admin = add("admin", _admin, "the first admin")
    admin.add_argument("email")
    admin.add_argument("--promote", action="store_true", help="make an admin of a user who exists")
    add("backup", _backup, "the three databases, into one file")
    add("restore", _restore, "the three databases, from such a file").add_argument("file")
    add("deploy", _deploy, "replace the services of Compose one by one")
    add("demo", _demo, "a tour of the running stack")


def _add_tests(add: Callable[..., argparse.ArgumentParser]) -> None:
    test = add("test", _test, "all tests, on a stack of their own")
    test.add_argument("--service", choices=["chassis", *SERVICES], help="only its own tests")
    compose_test = add(
        "compose-test", _compose_test, "the tests across services, on a stack of containers of their own"
    )
    cluster_test = add("cluster-test", _cluster_test, "the tests across services, on the current Kubernetes cluster")
    brokers = add("brokers", _brokers, "the tests of events on other versions of RabbitMQ")
    cover = add("cover", lambda _, given: coverage.run(given.pytest), "which lines and branches the tests run")
    for command in (test, compose_test, cluster_test, brokers, cover):
        command.add_argument("pytest", nargs="*")
    docs_test = add("docs-test", lambda _, given: execution.run(given.documents), "type what the documents say")
    docs_test.add_argument("documents", nargs="*")


def _add_clusters(add: Callable[..., argparse.ArgumentParser]) -> None:
    add("cluster-secrets", _cluster_secrets, "the secrets of the minikube overlay")
    add("minikube", _minikube, "everything on the current cluster")
    for way in releases.WAYS:
        release = add(way, _release, "a new version beside the one that runs")
        release.set_defaults(way=way)
        release.add_argument("step", choices=releases.STEPS[way])
        release.add_argument("service", choices=list(SERVICES.values()))
        release.add_argument("--version")
        release.add_argument("--weight", type=int, default=releases.WEIGHT)


def _add_development(add: Callable[..., argparse.ArgumentParser]) -> None:
    add(
        "dev",
        lambda directory, _: development.run(directory),
        "everything in the foreground, started anew when code changes",
    )
    add("seed", _seed, "people for the stack that runs")
    generate = add("generate", _generate, "write the documents that are made from the code")
    generate.add_argument("--check", action="store_true")
    add("check-documents", lambda *_: checking.check(), "whether all that the documents name is there")
    audit = add("audit", lambda _, given: sys.exit(auditing.run(in_lint=given.lint)), "known weaknesses of packages")
    audit.add_argument("--lint", action="store_true", help="without an index it is no failure")
    sbom = add("sbom", lambda _, given: sboms.write(version=given.version, folder=ROOT / "sbom"), "what is in images")
    sbom.add_argument("--version", required=True)
    service = add(
        "new-service",
        lambda _, given: new_service.make(given.name, outbox=given.outbox),
        "another service, from the template",
    )
    service.add_argument("name")
    service.add_argument("--outbox", action="store_true", help="it publishes events")


def _up(directory: Path, arguments: argparse.Namespace) -> None:
    if compose.is_chosen():
        Project(directory).up()
        return
    print("Starting Tessera as local processes below .local/", flush=True)
    layout = stack.up(directory, free_ports=arguments.free_ports)
    ports.print_addresses(layout.ports)


def _down(directory: Path, _: argparse.Namespace) -> None:
    ran = stack.down(directory)
    ran = Project(directory).down() or ran
    print("Stopped; the data is kept. Start again: make up. Forget the data: make clean" if ran else "Nothing ran.")


def _clean(directory: Path, _: argparse.Namespace) -> None:
    Project(directory).clean()
    stack.clean(directory, keep=runner.FOLDERS)  # the tests' own stacks, which may be running
    print("Stopped; data and secrets are gone. Start anew: make up")


def _status(directory: Path, _: argparse.Namespace) -> None:
    layout = stack.running(directory)
    if layout is None:
        if Project(directory).runs():
            Project(directory).status()
            return
        sys.exit(START_AGAIN)
    processes = Supervisor(layout).processes()
    every = {program.name: program.port for program in stack.every_program(layout)}
    print(f"{'program':28}{'state':10}{'pid':>8}{'port':>8}{'uptime':>12}")
    for process in processes:
        runs = process["statename"] == "RUNNING"
        uptime = f"{int(time.time() - process['start'])} s" if runs else "-"
        port = every.get(process["name"]) or "-"
        print(f"{process['name']:28}{process['statename'].lower():10}{process['pid'] or '-':>8}{port:>8}{uptime:>12}")
    if any(process["statename"] != "RUNNING" for process in processes):
        sys.exit("Something does not run; see: make logs")


def _logs(directory: Path, arguments: argparse.Namespace) -> None:
    if arguments.cluster:
        Cluster().logs(arguments.program, follow=arguments.follow)
        return
    if stack.running(directory) is None and Project(directory).runs():
        Project(directory).logs(arguments.program, follow=arguments.follow)
        return
    files = sorted((directory / "logs").glob(f"{arguments.program or '*'}.log"))
    if not files:
        sys.exit(START_AGAIN)
    if arguments.follow:
        log_lines.show(files, lines=20)
    else:
        os.execvp("tail", ["tail", "--lines=+1", "--quiet", *map(str, files)])


def _running(directory: Path, arguments: argparse.Namespace) -> Layout | Project | Cluster:
    """What runs: local processes or containers; or on a cluster, when that is asked for."""
    if arguments.cluster:
        return Cluster()
    layout = stack.running(directory)
    if layout is not None:
        return layout
    project = Project(directory)
    if not project.runs():
        sys.exit(START_AGAIN)
    return project


def _start(directory: Path, arguments: argparse.Namespace) -> None:
    runs = _running(directory, arguments)
    stack.start(runs, arguments.program) if isinstance(runs, Layout) else runs.start(arguments.program)


def _stop(directory: Path, arguments: argparse.Namespace) -> None:
    runs = _running(directory, arguments)
    stack.stop(runs, arguments.program) if isinstance(runs, Layout) else runs.stop(arguments.program)


def _manage(directory: Path, arguments: argparse.Namespace) -> None:
    runs, given = _running(directory, arguments), (arguments.service, *arguments.arguments)
    sys.exit(stack.manage(runs, *given).returncode if isinstance(runs, Layout) else runs.manage(*given))


def _admin(directory: Path, arguments: argparse.Namespace) -> None:
    promote = ["--promote"] if arguments.promote else []
    arguments.service, arguments.arguments = "users", ["create_admin", f"--email={arguments.email}", *promote]
    _manage(directory, arguments)


def _without_cluster(directory: Path, arguments: argparse.Namespace) -> Layout | Project:
    runs = _running(directory, arguments)
    if isinstance(runs, Cluster):
        sys.exit("On a cluster the database operator or the provider makes the backups; see docs/kubernetes.md.")
    return runs


def _backup(directory: Path, arguments: argparse.Namespace) -> None:
    file = backups.backup(_without_cluster(directory, arguments))
    print(f"Written: {os.path.relpath(file)}. Keep it and .env, in two places. Restore: make restore FILE={file.name}")


def _restore(directory: Path, arguments: argparse.Namespace) -> None:
    named = Path(arguments.file)
    file = named if named.exists() else backups.folder(directory) / named
    if sys.stdin.isatty() and input(f"This replaces all data with that of {file}. Type yes: ") != "yes":
        sys.exit("Nothing was changed.")
    backups.restore(_without_cluster(directory, arguments), file)
    print("Restored; everything runs. Look at it: make status")


def _deploy(directory: Path, arguments: argparse.Namespace) -> None:
    runs = _running(directory, arguments)
    if not isinstance(runs, Project):
        sys.exit("Local processes run here; make up replaces what has changed. make deploy is for Compose.")
    runs.deploy()
    print("Deployed. Look at it: make status")


def _demo(directory: Path, arguments: argparse.Namespace) -> None:
    runs = _running(directory, arguments)
    demo.run(runner.addresses(runs) if isinstance(runs, Layout) else runs.addresses())


def _seed(directory: Path, arguments: argparse.Namespace) -> None:
    runs = _running(directory, arguments)
    if isinstance(runs, Cluster):
        sys.exit("The people are for local processes and Compose; on a cluster nothing was added.")
    seeding.run(runs, runner.addresses(runs) if isinstance(runs, Layout) else runs.addresses())


def _test(directory: Path, arguments: argparse.Namespace) -> None:
    if arguments.service:
        sys.exit(runner.run_one(ROOT / ".local" / "test", arguments.service, arguments.pytest))
    sys.exit(runner.run(ROOT / ".local" / "test", runner.every_test, arguments.pytest))


def _compose_test(directory: Path, arguments: argparse.Namespace) -> None:
    sys.exit(compose_tests.run(ROOT / ".local" / "compose-test", arguments.pytest))


def _cluster_test(directory: Path, arguments: argparse.Namespace) -> None:
    sys.exit(cluster_tests.run(ROOT / ".local" / "cluster-test", arguments.pytest))


def _brokers(directory: Path, arguments: argparse.Namespace) -> None:
    sys.exit(brokers.run(ROOT / ".local" / "brokers", arguments.pytest))


def _cluster_secrets(directory: Path, _: argparse.Namespace) -> None:
    kubernetes.make_secrets()


def _minikube(directory: Path, _: argparse.Namespace) -> None:
    kubernetes.start()


def _release(directory: Path, arguments: argparse.Namespace) -> None:
    kubernetes.check_context()
    releases.run(arguments.way, arguments.step, arguments.service, version=arguments.version, weight=arguments.weight)


def _generate(directory: Path, arguments: argparse.Namespace) -> None:
    generated.run(check=arguments.check)


if __name__ == "__main__":
    main()
