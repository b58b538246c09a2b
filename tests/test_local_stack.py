"""The commands of local processes, for an additional stack below a folder that only root may enter."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from evidence.harness.local_processes import processes_of
from evidence.harness.stack import PASSWORD
from local import ports

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def directory(tmp_path):
    tmp_path.chmod(0o700)
    yield tmp_path / "stack"
    local(tmp_path / "stack", "down", check=False)


def local(directory, *command, check=True, env=None):
    """Runs `python -m tools`; with `check`, a failure shows the output."""
    done = subprocess.run(
        [sys.executable, "-m", "tools", "--directory", str(directory), *command],
        cwd=ROOT,
        env=os.environ | {"UP": "local"} | (env or {}),
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0 or not check, done.stdout + done.stderr
    return done


def port_of(directory, name):
    return json.loads((directory / "ports.json").read_text())[name]


def test_a_second_stack_moves_a_taken_port_keeps_its_data_and_leaves_nothing_behind(directory):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 4000 + 21000))
        taken.listen()

        done = local(directory, "up", env={"PORT_OFFSET": "21000"})

    assert "25000 is taken: USERS_PORT is 26000" in done.stdout
    assert (port_of(directory, "USERS_PORT"), port_of(directory, "AUTH_PORT")) == (26000, 25001)
    assert requests.get("http://127.0.0.1:26000/users-ms/healthcheck", timeout=60).status_code == 200
    assert "users-ms" in local(directory, "status").stdout
    assert "everything is running already" in local(directory, "up").stdout

    supervisord = int((directory / "run" / "supervisord.pid").read_text())
    os.kill(supervisord, signal.SIGKILL)
    assert processes_of(directory)

    local(directory, "down")
    assert processes_of(directory) == []
    assert (directory / "users-db" / "PG_VERSION").exists()

    local(directory, "clean")
    assert list(directory.iterdir()) == []


def test_a_backup_restores_the_accounts_into_an_empty_local_stack(stack, directory):
    def log_in():
        url = f"http://127.0.0.1:{port_of(directory, 'AUTH_PORT')}/auth-ms/auth/login"
        return requests.post(url, json={"username": ada["email"], "password": PASSWORD}, timeout=60).status_code

    ada = stack.sign_up()
    running = Path(stack.directory)
    local(running, "backup")
    backups = running.with_name(f"{running.name}-backups")
    file = max(backups.glob("*.tar"))  # the newest
    directory.mkdir()
    (directory / ".env").write_text((running / ".env").read_text())

    local(directory, "up", "--free-ports")
    assert log_in() == 401
    local(directory, "restore", str(file))

    assert log_in() == 200
    shutil.rmtree(backups)


def test_an_interrupted_start_leaves_nothing_behind(directory):
    arguments = [sys.executable, "-m", "tools", "--directory", str(directory), "up", "--free-ports"]
    environment = os.environ | {"UP": "local", "PYTHONUNBUFFERED": "1"}
    start = subprocess.Popen(
        arguments, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert any("users-db: answers" in line for line in start.stdout)  # reads no further than that line
    start.send_signal(signal.SIGINT)
    start.stdout.read()

    assert start.wait(timeout=300) != 0
    start.stdout.close()
    assert processes_of(directory) == []


def test_a_port_in_use_is_named_before_anything_starts(directory):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        done = local(directory, "up", check=False, env={"USERS_PORT": port})

    assert done.returncode != 0
    assert f"{port} is taken" in done.stderr
    assert "USERS_PORT" in done.stderr
    assert processes_of(directory) == []


def test_free_ports_are_none_that_the_kernel_gives_to_connections():
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])

    assert max(ports.free().values()) < first


def test_a_stopped_stack_says_how_to_start_it(directory):
    done = local(directory, "status", check=False)

    assert done.returncode != 0
    assert "make up" in done.stderr
