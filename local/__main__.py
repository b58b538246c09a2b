"""`python -m local COMMAND`: what the Makefile calls."""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from local import compose, demo, generated, secret_values, stack, testing
from local.bootstrap import ROOT
from local.programs import Layout
from local.supervisor import Supervisor

START_AGAIN = "Nothing runs here. Start it with: make up"


def main() -> None:
    """Runs one command; Ctrl-C and SIGTERM end it in order."""
    signal.signal(signal.SIGTERM, _interrupt)
    arguments = _parser().parse_args()
    directory = Path(arguments.directory).resolve() if arguments.directory else ROOT / ".local"
    try:
        arguments.run(directory, arguments)
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
    except (TimeoutError, RuntimeError, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"{error}")


def _interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("--directory", help="where the stack keeps its things (.local)")
    commands = parser.add_subparsers(required=True)

    def add(name: str, run: Any, explanation: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=explanation)
        command.set_defaults(run=run)
        return command

    add("up", _up, "start everything").add_argument("--free-ports", action="store_true")
    add("down", _down, "stop everything, keep the data")
    add("clean", _clean, "stop everything, forget the data")
    add("status", _status, "what runs")
    add("logs", _logs, "follow the logs").add_argument("program", nargs="?")
    add("start", _start, "start one program").add_argument("program")
    add("stop", _stop, "stop one program").add_argument("program")
    add("environment", _environment, "the stack's addresses, for tests")
    add("secrets", _secrets, "make the secrets once")
    add("admin", _admin, "the first admin").add_argument("email")
    add("demo", _demo, "a tour of the running stack")
    add("test", _test, "all tests, on a stack of their own").add_argument("pytest", nargs="*")
    add("generate", _generate, "write the documents that are made from the code").add_argument(
        "--check", action="store_true"
    )
    return parser


def _up(directory: Path, arguments: argparse.Namespace) -> None:
    if compose.is_chosen():
        compose.up()
        return
    print("Starting Tessera as local processes below .local/", flush=True)
    layout = stack.up(directory, free_ports=arguments.free_ports)
    print_addresses({name: f"http://127.0.0.1:{port}" for name, port in layout.ports.items()})


def print_addresses(urls: dict[str, str]) -> None:
    """The table that ends `make up`."""
    rows = [
        ("gateway (all public routes)", urls["GATEWAY_PORT"]),
        ("Swagger UI of all services", f"{urls['GATEWAY_PORT']}/docs"),
        ("users-ms", f"{urls['USERS_PORT']}/users-ms/docs"),
        ("auth-ms", f"{urls['AUTH_PORT']}/auth-ms/docs"),
        ("notification-ms", f"{urls['NOTIFICATION_PORT']}/notification-ms/docs"),
        ("mail that was sent", urls["MAIL_PORT"]),
        (
            "RabbitMQ management",
            f"{urls['RABBITMQ_MANAGEMENT_PORT']} (user tessera, password: RABBITMQ_PASSWORD in .env)",
        ),
    ]
    print("\nTessera runs:")
    for name, url in rows:
        print(f"  {name:30}{url}")
    print("\nNext: make demo (a tour), make status, make logs, make admin EMAIL=you@example.org, make down")


def _down(directory: Path, _: argparse.Namespace) -> None:
    ran = stack.down(directory)
    if directory == ROOT / ".local":
        ran = compose.down() or ran
    print("Stopped; the data is kept. Start again: make up. Forget the data: make clean" if ran else "Nothing ran.")


def _clean(directory: Path, _: argparse.Namespace) -> None:
    if directory == ROOT / ".local":
        compose.down(volumes=True)
    stack.clean(directory)
    print("Stopped; data and secrets are gone. Start anew: make up")


def _status(directory: Path, _: argparse.Namespace) -> None:
    layout = stack.existing(directory)
    if layout is None or not Supervisor(layout).runs():
        if directory == ROOT / ".local" and compose.runs():
            compose.status()
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
    layout = stack.existing(directory)
    if (layout is None or not Supervisor(layout).runs()) and compose.runs():
        compose.logs(arguments.program)
        return
    files = sorted((directory / "logs").glob(f"{arguments.program or '*'}.log"))
    if not files:
        sys.exit(START_AGAIN)
    os.execvp("tail", ["tail", "--lines=20", "-F", *map(str, files)])


def _running(directory: Path) -> Layout:
    layout = stack.existing(directory)
    if layout is None or not Supervisor(layout).runs():
        sys.exit(START_AGAIN)
    return layout


def _start(directory: Path, arguments: argparse.Namespace) -> None:
    stack.restart(_running(directory), arguments.program, start=True, stop=False)


def _stop(directory: Path, arguments: argparse.Namespace) -> None:
    stack.restart(_running(directory), arguments.program, start=False, stop=True)


def _environment(directory: Path, _: argparse.Namespace) -> None:
    for name, value in testing.addresses(_running(directory)).items():
        print(f"{name}={value}")


def _secrets(directory: Path, _: argparse.Namespace) -> None:
    secret_values.ensure(stack.secrets_file(directory))


def _admin(directory: Path, arguments: argparse.Namespace) -> None:
    layout = stack.existing(directory)
    if layout is None or not Supervisor(layout).runs():
        if not compose.runs():
            sys.exit(START_AGAIN)
        sys.exit(compose.admin(arguments.email))
    done = stack.manage(layout, "users", "create_admin", f"--email={arguments.email}")
    sys.exit(done.returncode)


def _demo(directory: Path, _: argparse.Namespace) -> None:
    layout = stack.existing(directory)
    if layout is not None and Supervisor(layout).runs():
        demo.run(testing.addresses(layout))
    elif compose.runs():
        demo.run(compose.addresses())
    else:
        sys.exit(START_AGAIN)


def _test(directory: Path, arguments: argparse.Namespace) -> None:
    sys.exit(testing.run(ROOT / ".local" / "test", arguments.pytest))


def _generate(directory: Path, arguments: argparse.Namespace) -> None:
    generated.run(check=arguments.check)


if __name__ == "__main__":
    main()
