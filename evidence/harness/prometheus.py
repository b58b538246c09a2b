"""Debian's Prometheus and PostgreSQL exporters on the local stack, with the configuration of Compose."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import requests
import yaml

from evidence.harness.background import running
from evidence.harness.waiting import eventually
from installation.service_catalog import SERVICES
from local import ports, programs
from local.paths import ROOT

FOLDER = ROOT / "observability"
PACKAGES = ("prometheus", "prometheus-postgres-exporter")
WHY = f"Debian's packages {' and '.join(PACKAGES)} are missing; make test installs them when it is run as root"
EXPORTERS = {f"{service}-db-exporter": service for service in SERVICES}
PORTS = programs.METRICS_PORTS | {
    "users-ms": "USERS_PORT",
    "auth-ms": "AUTH_PORT",
    "notification-ms": "NOTIFICATION_PORT",
    "rabbitmq": "RABBITMQ_PROMETHEUS_PORT",
}


def installed() -> bool:
    """True when all programs are installed."""
    return all(shutil.which(package) for package in PACKAGES)


@contextmanager
def watching(known: dict[str, int], databases: dict[str, str], folder: Path) -> Iterator[str]:
    """The address of a Prometheus that scrapes a stack, given its ports and the URLs of its databases."""
    free = iter(ports.free().values())
    addresses = {name: f"127.0.0.1:{known[port]}" for name, port in PORTS.items()}
    addresses |= {name: f"127.0.0.1:{next(free)}" for name in EXPORTERS}
    (folder / "prometheus.yml").write_text(_configuration(addresses))
    address = f"127.0.0.1:{next(free)}"
    path = {"PATH": os.environ["PATH"]}
    with ExitStack() as programs:
        for name, service in EXPORTERS.items():
            environment = path | {"DATA_SOURCE_NAME": f"{databases[service]}?sslmode=disable"}
            command = ["prometheus-postgres-exporter", f"--web.listen-address={addresses[name]}"]
            programs.enter_context(running(command, log=folder / f"{name}.log", environment=environment))
        options = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        command = ["prometheus", *options, f"--web.listen-address={address}"]
        programs.enter_context(running(command, log=folder / "prometheus.log", environment=path))
        eventually(lambda: _ready(f"http://{address}/-/ready"))
        yield f"http://{address}"


def _ready(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.ConnectionError:
        return False


def _configuration(addresses: dict[str, str]) -> str:
    """The configuration of Compose with names resolved by `addresses` instead of DNS; its relabelling stays."""
    whole = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    whole |= {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}}
    whole |= {"rule_files": [str(FOLDER / "rules.yml")]}
    for job in whole["scrape_configs"]:
        for looked_up in job.pop("dns_sd_configs", []):
            job["static_configs"] = [
                {"targets": [addresses[name]], "labels": {"__meta_dns_name": name}} for name in looked_up["names"]
            ]
        for each in job["static_configs"]:
            each["targets"] = [addresses.get(target.partition(":")[0], target) for target in each["targets"]]
    return json.dumps(whole)


def asker(url: str) -> Callable[[str], list[dict[str, Any]]]:
    """`ask(query)` returns the series that Prometheus answers with, and their values."""

    def ask(query: str) -> list[dict[str, Any]]:
        answer = requests.get(f"{url}/api/v1/query", {"query": query}, timeout=10).json()
        assert answer["status"] == "success", f"{query}: {answer}"
        return list(answer["data"]["result"])

    return ask
