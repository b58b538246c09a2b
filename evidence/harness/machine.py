"""The machine and the cluster that a measurement ran on."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from local.paths import ROOT
from tools.deployment import kubernetes


def facts(command: str) -> dict[str, str]:
    """Command, date, machine and revision."""
    found = {
        "command": command,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{len(os.sched_getaffinity(0))} cores, {_after('/proc/cpuinfo', 'model name')}",
        "memory": f"{int(_after('/proc/meminfo', 'MemTotal').split()[0]) / 2**20:.0f} GiB",
        "system": f"{_after('/etc/os-release', 'PRETTY_NAME')}, Linux {platform.release()}",
        "python": platform.python_version(),
        "revision": _output("git", "rev-parse", "--short", "HEAD"),
    }
    return {name: value for name, value in found.items() if value}


def cluster_facts() -> dict[str, str]:
    """The cluster of the current context."""
    [node, *others] = kubernetes.objects("nodes")
    versions = json.loads(kubernetes.kubectl("version", "--output=json").stdout)
    capacity = node["status"]["capacity"]
    return {
        "cluster": f"context {_output('kubectl', 'config', 'current-context')}, Kubernetes "
        f"{versions['serverVersion']['gitVersion']}, {1 + len(others)} node of {capacity['cpu']} cores "
        f"(on the machine that also sends the load)"
    }


def _after(file: str, name: str) -> str:
    path = Path(file)
    for line in path.read_text().splitlines() if path.exists() else []:
        key, separator, value = line.replace("=", ":", 1).partition(":")
        if separator and key.strip() == name:
            return value.strip().strip('"')
    return ""


def _output(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()
