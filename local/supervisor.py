"""The process manager: supervisord (http://supervisord.org), configured here and controlled over XML-RPC."""

import os
import signal
import subprocess
import sys
import time
import xmlrpc.client  # nosec B411 - it connects only to our own supervisord
from contextlib import suppress
from pathlib import Path
from typing import Any

from local.layout import Layout, Program

MARKER = "TESSERA_STACK"
_CONNECTION_ERRORS = (OSError, xmlrpc.client.ProtocolError)


def configuration(layout: Layout, programs: list[Program], revision: str) -> str:
    """The content of supervisord.conf; `revision` identifies the code, so that changed code changes the content."""
    directory = _escaped(str(layout.directory))
    sections = [
        f"; code {revision}",
        "[supervisord]",
        f"logfile={directory}/logs/supervisord.log",
        f"pidfile={directory}/run/supervisord.pid",
        f"directory={directory}",
        "umask=022",
        "[inet_http_server]",
        f"port=127.0.0.1:{layout.ports['SUPERVISOR_PORT']}",
        "username=tessera",
        f"password={layout.secrets['SUPERVISOR_PASSWORD']}",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
    ]
    for priority, program in enumerate(programs, start=100):
        sections += _section(program, directory, priority)
    return "\n".join(sections) + "\n"


def _section(program: Program, directory: str, priority: int) -> list[str]:
    environment = ",".join(f'{name}="{_escaped(value)}"' for name, value in program.environment.items())
    return [
        f"[program:{program.name}]",
        f"command={' '.join(_quoted(part) for part in program.command)}",
        f"directory={_escaped(str(program.directory))}",
        f"environment={environment}",
        f"priority={priority}",
        "autostart=false",
        "autorestart=true",
        "startsecs=1",
        "startretries=1000000",
        f"stopsignal={program.stop_signal}",
        "stopwaitsecs=30",
        "killasgroup=true",
        "redirect_stderr=true",
        f"stdout_logfile={directory}/logs/{program.name}.log",
        "stdout_logfile_maxbytes=10MB",
        "stdout_logfile_backups=2",
    ]


def _escaped(text: str) -> str:
    return text.replace("%", "%%").replace('"', '\\"')


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"' if any(character in text for character in " ;'{},") else _escaped(text)


class Supervisor:
    """The supervisord of one stack."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        password, port = layout.secrets["SUPERVISOR_PASSWORD"], layout.ports["SUPERVISOR_PORT"]
        self._remote: Any = xmlrpc.client.ServerProxy(f"http://tessera:{password}@127.0.0.1:{port}/RPC2")

    @property
    def configuration_file(self) -> Path:
        return self.layout.directory / "supervisord.conf"

    def runs(self) -> bool:
        """True when supervisord answers."""
        try:
            return bool(self._remote.supervisor.getState()["statename"] == "RUNNING")
        except _CONNECTION_ERRORS:
            return False

    def launch(self, text: str) -> None:
        """Starts supervisord in the background with the configuration `text`, without starting programs."""
        file = self.configuration_file
        file.unlink(missing_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as output:
            output.write(text)
        keep = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE")
        environment = {name: os.environ[name] for name in keep if name in os.environ}
        environment |= {MARKER: str(self.layout.directory), "LC_ALL": "C.UTF-8"}
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(file)]
        subprocess.run(command, env=environment, check=True, stdin=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 60
        while not self.runs():
            if time.monotonic() > deadline:
                raise TimeoutError(f"supervisord does not answer; see {self.layout.directory}/logs/supervisord.log")
            time.sleep(0.1)

    def processes(self) -> list[dict[str, Any]]:
        """The state of each program: name, statename, pid, start (Unix time), spawnerr."""
        return list(self._remote.supervisor.getAllProcessInfo())

    def start(self, name: str) -> None:
        """Starts a program; does nothing when it is running."""
        try:
            self._remote.supervisor.startProcess(name, False)
        except xmlrpc.client.Fault as fault:
            if "ALREADY_STARTED" not in fault.faultString:
                raise

    def stop(self, name: str) -> None:
        """Stops a program and returns when it has ended."""
        try:
            self._remote.supervisor.stopProcess(name, True)
        except xmlrpc.client.Fault as fault:
            if "NOT_RUNNING" not in fault.faultString:
                raise

    def shut_down(self) -> None:
        """Stops every program, in reverse order of their start, and supervisord itself."""
        try:
            pid = self._remote.supervisor.getPID()
            self._remote.supervisor.shutdown()
        except _CONNECTION_ERRORS:
            return
        deadline = time.monotonic() + 90
        while _exists(pid) and time.monotonic() < deadline:
            time.sleep(0.1)


def end_leftovers(directory: Path) -> list[int]:
    """Ends the remaining processes of a stack whose supervisord has died, and returns their ids.

    A marker in a process's environment shows that it belongs to the stack in `directory`. PostgreSQL overwrites its
    environment; its server is identified by the pid file in its data folder.
    """
    found = _marked(directory) | _database_servers(directory)
    for kind, patience in ((signal.SIGTERM, 20.0), (signal.SIGKILL, 5.0)):
        alive = {pid for pid in found | _marked(directory) if _exists(pid)}
        for pid in alive:
            _send(pid, signal.SIGINT if kind == signal.SIGTERM and pid in _database_servers(directory) else kind)
        deadline = time.monotonic() + patience
        while any(_exists(pid) for pid in alive) and time.monotonic() < deadline:
            time.sleep(0.1)
    return sorted(found)


def _marked(directory: Path) -> set[int]:
    marker = f"{MARKER}={directory}".encode()
    found = set()
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdecimal() and marker in (folder / "environ").read_bytes().split(b"\0"):
                found.add(int(folder.name))
        except OSError:  # it has ended in the meantime, or belongs to another user
            continue
    return found


def _database_servers(directory: Path) -> set[int]:
    found = set()
    for file in directory.glob("*-db/postmaster.pid"):
        first_line = file.read_text().partition("\n")[0]
        command = Path("/proc") / first_line / "cmdline"
        if first_line.isdecimal() and command.exists() and b"postgres" in command.read_bytes():
            found.add(int(first_line))
    return found


def descendants(pid: int) -> list[int]:
    """The ids of all descendants of a process, the youngest first."""
    children: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            children += [int(child) for child in task.read_text().split()]
    return [each for child in children for each in (*descendants(child), child)]


def _exists(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _send(pid: int, kind: signal.Signals) -> None:
    try:
        os.kill(pid, kind)
    except ProcessLookupError:
        return
