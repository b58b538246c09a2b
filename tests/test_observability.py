"""Alerts and dashboards: each alert fires under its condition, and each query finds its series."""

import contextlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import requests

from evidence.harness.prometheus import FOLDER, WHY, asker, installed, watching
from evidence.harness.stack import a_phone
from evidence.harness.waiting import eventually
from installation.service_catalog import SERVICES
from local.paths import ROOT

promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason=WHY)
SERIES = re.compile(r"\b([a-z]+_[a-z_]+|up)(\{[^}]*\})?(?![\w(])")  # a metric and its label matchers


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@promtool
def test_each_alert_fires_only_under_its_condition():
    run("promtool", "check", "rules", "rules.yml")
    run("promtool", "check", "config", "--syntax-only", "prometheus.yml")
    run("promtool", "test", "rules", "rules_test.yml")


def alerts() -> list[str]:
    return re.findall(r"- alert: (\w+)", (FOLDER / "rules.yml").read_text())


def test_each_alert_has_a_test_and_a_runbook():
    tests, manual = (FOLDER / "rules_test.yml").read_text(), (ROOT / "docs" / "operations.md").read_text()

    assert len(alerts()) > 10
    for alert in alerts():
        assert f"{alert} fires" in tests and f"{alert} is quiet" in tests
        assert f"docs/operations.md#{alert.lower()}" in (FOLDER / "rules.yml").read_text()
        assert f"### {alert}\n" in manual


def panels() -> list[tuple[str, str]]:
    """The title and query of each panel, with a range like Grafana's."""
    return [
        (f"{file.stem}: {panel['title']}", target["expr"].replace("$__rate_interval", "1m"))
        for file in sorted((FOLDER / "dashboards").glob("*.json"))
        for panel in json.loads(file.read_text())["panels"]
        for target in panel["targets"]
    ]


def series_of_rules() -> set[str]:
    """The series in the alerts, such as `deliveries_total{outcome="retried"}`.

    A regular expression for failures, such as `status=~"5.."`, is replaced by any value of its label.
    """
    rules = re.findall(r"expr: >-\n +(.+)", (FOLDER / "rules.yml").read_text())
    assert len(rules) == len(alerts())
    found = {name + matchers for rule in rules for name, matchers in SERIES.findall(re.sub(r"by \([^)]*\)", "", rule))}
    return {re.sub(r'=~"[^"]*"', '!=""', each) for each in found}


@pytest.fixture(scope="module")
def prometheus(stack, tmp_path_factory):
    """Prometheus with this stack's rules and targets: `prometheus(query)` returns the result."""
    if not installed():
        pytest.skip(WHY)
    listed = Path(stack.directory) / "ports.json"
    if not listed.exists():
        pytest.skip("the ports of relays, workers and the broker are not on this host")
    known = json.loads(listed.read_text())
    databases = {service: os.environ[f"{service.upper()}_DATABASE_URL"] for service in SERVICES}
    with watching(known, databases, tmp_path_factory.mktemp("prometheus")) as url:
        yield asker(url)


def is_number(series: dict) -> bool:
    return series["value"][1] != "NaN"


def test_every_panel_and_alert_finds_its_series(stack, admin, prometheus):
    """After successful, rejected and retried requests and events."""
    assert len(panels()) > 30 and len(series_of_rules()) > 15
    old = stack.log_in(stack.sign_up()["email"]).json()["refresh_token"]
    body = {"name": "Billing", "grant_types": ["client_credentials"]}
    client = stack.call("POST", "/auth-ms/clients", body, token=admin["access_token"]).json()
    with stack.mail_rejected(451):
        stack.sign_up()
        eventually(lambda: prometheus('deliveries_total{outcome="retried"}'))

    def missing():
        user = stack.verified_user(phone=a_phone())
        stack.log_in(user["email"])
        stack.log_in(user["email"], "not the password")
        # A used refresh token that is reused after ten seconds counts as stolen.
        requests.post(f"{stack.auth}/auth-ms/auth/refresh", json={"refresh_token": old}, timeout=60)
        for secret in (client["client_secret"], "not the secret"):
            form, credentials = {"grant_type": "client_credentials"}, (client["client_id"], secret)
            requests.post(f"{stack.auth}/auth-ms/oauth/token", form, auth=credentials, timeout=60)
        empty = [title for title, query in panels() if not any(map(is_number, prometheus(query)))]
        return empty + [series for series in series_of_rules() if not prometheus(series)]

    with contextlib.suppress(AssertionError):
        eventually(lambda: not missing())
    assert missing() == []


def test_no_alert_fires_on_a_healthy_stack(prometheus):
    eventually(lambda: len(prometheus("up")) == 13)

    assert prometheus("up == 0") == []
    assert prometheus("pg_up == 0") == []
