"""Alerts and dashboards, which are files: each alert fires when it has to, and each panel's query finds something."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import requests

from chassis.tests.waiting import eventually
from local import ports
from local.bootstrap import ROOT

FOLDER = ROOT / "observability"
WHY = "promtool and prometheus are missing; as root make test installs them: apt-get install prometheus"
promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason=WHY)
BACKGROUND = ["USERS_RELAY", "AUTH_RELAY", "AUTH_WORKER", "EMAIL_WORKER", "SMS_WORKER"]
# What this stack cannot show: PostgreSQL's exporter runs in Compose and Kubernetes only, and nothing is wrong here.
ABSENT = re.compile(r"pg_|ALERTS")


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@promtool
def test_each_alert_fires_when_it_has_to_and_only_then():
    run("promtool", "check", "rules", "rules.yml")
    run("promtool", "check", "config", "--syntax-only", "prometheus.yml")
    run("promtool", "test", "rules", "rules_test.yml")


def alerts() -> list[str]:
    return re.findall(r"- alert: (\w+)", (FOLDER / "rules.yml").read_text())


def test_each_alert_is_tested_and_has_a_chapter_that_says_what_to_do():
    tests, manual = (FOLDER / "rules_test.yml").read_text(), (ROOT / "docs" / "operations.md").read_text()

    assert len(alerts()) > 10
    for alert in alerts():
        assert f"{alert} fires" in tests and f"{alert} is quiet" in tests
        assert f"docs/operations.md#{alert.lower()}" in (FOLDER / "rules.yml").read_text()
        assert f"### {alert}\n" in manual


def panels() -> list[tuple[str, str]]:
    return [
        (f"{file.stem}: {panel['title']}", target["expr"])
        for file in sorted((FOLDER / "dashboards").glob("*.json"))
        for panel in json.loads(file.read_text())["panels"]
        for target in panel["targets"]
    ]


@pytest.fixture(scope="module")
def prometheus(stack, tmp_path_factory):
    """Prometheus on this stack, with its rules: `prometheus(query)` is what it answers."""
    if shutil.which("prometheus") is None:
        pytest.skip(WHY)
    listed = Path(stack.directory) / "ports.json"
    if not listed.exists():
        pytest.skip("the ports of relays, workers and the broker are not on this host")
    known = json.loads(listed.read_text())
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "prometheus.yml").write_text(configuration(known))
    address = f"127.0.0.1:{ports.free()['MAIL_PORT']}"
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    process = subprocess.Popen([*command, f"--web.listen-address={address}"], stderr=subprocess.DEVNULL)

    def ask(query):
        answer = requests.get(f"http://{address}/api/v1/query", {"query": query}, timeout=10).json()
        assert answer["status"] == "success", answer
        return answer["data"]["result"]

    def ready():
        try:
            return requests.get(f"http://{address}/-/ready", timeout=2).ok
        except requests.ConnectionError:
            return False

    try:
        eventually(ready)
        yield ask
    finally:
        process.terminate()
        process.wait(timeout=20)


def configuration(known: dict[str, int]) -> str:
    """That of Compose, with this stack's addresses."""
    jobs = [
        {
            "job_name": f"tessera-{service}",
            "metrics_path": f"/{service}-ms/metrics",
            "static_configs": [target(known[f"{service.upper()}_PORT"], f"{service}-ms")],
        }
        for service in ("users", "auth", "notification")
    ]
    background = [target(known[f"{name}_METRICS_PORT"], name.lower()) for name in BACKGROUND]
    jobs.append({"job_name": "background", "static_configs": background})
    broker = [target(known["RABBITMQ_PROMETHEUS_PORT"], "rabbitmq")]
    families = {"family": ["queue_coarse_metrics", "queue_consumer_count"]}
    jobs.append(
        {"job_name": "rabbitmq", "metrics_path": "/metrics/detailed", "params": families, "static_configs": broker}
    )
    jobs.append({"job_name": "rabbitmq-node", "static_configs": broker})
    interval = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    return json.dumps({"global": interval, "rule_files": [str(FOLDER / "rules.yml")], "scrape_configs": jobs})


def target(port: int, service: str) -> dict:
    return {"targets": [f"127.0.0.1:{port}"], "labels": {"service": service}}


def test_every_panel_shows_something(stack, prometheus):
    def work():
        user = stack.sign_up(phone="+390612345678")
        stack.log_in(user["email"])
        missing = [title for title, query in panels() if not ABSENT.search(query) and not prometheus(query)]
        return missing == []

    assert len(panels()) > 25
    eventually(work, seconds=60)
    for title, query in panels():
        assert isinstance(prometheus(query), list), title


def test_nothing_is_alarming_here(prometheus):
    eventually(lambda: prometheus("up"))

    assert prometheus("up == 0") == []
