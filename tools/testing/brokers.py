"""`make brokers`: the tests of the events on the RabbitMQ of later Debian releases, with both types of queues."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from local import installed_servers, packages
from local.paths import ROOT
from tools.testing import runner

DIRECTORY = ROOT / ".local" / "brokers"
# RabbitMQ 4.0 and 4.3; 3.10 is in Debian 12. A snapshot of a mirror may be older than its signature is good for.
RELEASES = ("trixie", "sid")
UNPACK = ["mmdebstrap", "--aptopt=Acquire::Check-Valid-Until false", "--variant=essential", "--include=rabbitmq-server"]
# The node sees its own folder at the same path. Its mounts are private to it, and gone when it ends.
START = """#!/bin/sh
mkdir -p "{root}$HOME"
touch "{root}/etc/hosts"
exec unshare --mount --propagation private sh -c '
    mount --bind /etc/hosts "{root}/etc/hosts" &&
    mount --bind "$HOME" "{root}$HOME" &&
    mount -t proc proc "{root}/proc" &&
    exec chroot "{root}" /usr/lib/rabbitmq/bin/rabbitmq-server'
"""


def run(*, pytest: list[str]) -> int:
    """Runs the suites that need a broker five times and returns the exit status; `make test` is the sixth."""
    if os.geteuid() != 0:
        sys.exit("The nodes start in a root file system of their own, which takes root: sudo make brokers")
    packages.ensure()
    packages.install({"mmdebstrap": shutil.which("mmdebstrap"), "debian-archive-keyring": _keyring()})
    servers = {
        "installed": installed_servers.rabbitmq_server(),
        **{release: _server(release) for release in RELEASES},
    }
    outcomes = {}
    for release, server in servers.items():
        for queue_type in ("classic", "quorum"):
            if (release, queue_type) == ("installed", "classic"):
                continue
            print(f"\n=== RabbitMQ of {release}, {queue_type} queues", flush=True)
            os.environ["RABBITMQ_SERVER"] = str(server)
            outcomes[release, queue_type] = runner.run(
                runner.DIRECTORY, runner.of_events, pytest, variables={"QUEUE_TYPE": queue_type}
            )
    print()
    for (release, queue_type), status in outcomes.items():
        print(f"RabbitMQ of {release:10} {queue_type:8} {'failed' if status else 'passed'}")
    return max(outcomes.values())


def _keyring() -> Path | None:
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    return keyring if keyring.exists() else None


def _server(release: str) -> Path:
    """The start script of a release's RabbitMQ; its packages are unpacked the first time."""
    root, script = DIRECTORY / release, DIRECTORY / f"rabbitmq-server-{release}"
    if not script.exists():
        print(f"Unpacking the RabbitMQ of Debian {release} below {DIRECTORY.relative_to(ROOT)}/ ...", flush=True)
        shutil.rmtree(root, ignore_errors=True)
        DIRECTORY.mkdir(parents=True, exist_ok=True)
        done = subprocess.run([*UNPACK, release, str(root)], capture_output=True, text=True)
        if done.returncode:
            shutil.rmtree(root, ignore_errors=True)
            sys.exit(f"{done.stderr[-2000:]}\nDebian {release} could not be unpacked.")
        script.write_text(START.format(root=root))
        script.chmod(0o755)
    return script
