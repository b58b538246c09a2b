"""Optional profiles: load test, Swagger UI, Prometheus and exporters, Grafana."""

import json
import subprocess

import pytest
import requests
from playwright.sync_api import expect

from evidence.harness.browser import browser, page
from evidence.harness.containers import docker
from evidence.harness.prometheus import asker
from evidence.harness.stack import PASSWORD
from evidence.harness.waiting import eventually

__all__ = ["browser", "page"]


def test_the_load_test_ends_in_time_and_reports_whether_it_passed(containers):
    done = containers.project.run(
        "--profile", "loadtest", "up", "--detach", "--build", "--no-recreate", "loadtest", capture_output=True
    )
    assert done.returncode == 0, done.stderr
    [container] = containers.of("loadtest")

    status = docker("wait", container).strip()

    report = docker("logs", container)
    assert status == "0", report
    assert "0.00 % failed" in report
    assert "passed" in report


def start(containers, *services, profile="observability"):
    """Start services of the profile; skip when an image cannot be pulled."""
    images = containers.project.run("--profile", profile, "config", "--images", *services, capture_output=True)
    for image in set(images.stdout.split()):
        there = [["docker", "image", "inspect", image], ["docker", "pull", "--quiet", image]]
        if all(subprocess.run(command, capture_output=True).returncode for command in there):
            pytest.skip(f"the image {image} is not available and cannot be pulled")
    options = ["--profile", profile, "up", "--detach", "--wait", "--no-recreate", "--no-deps"]
    done = containers.project.run(*options, *services, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_swagger_ui_in_a_container_describes_the_three_services_and_tries_them_out(stack, containers, page):
    start(containers, "swagger-ui", profile="swagger")
    user = stack.verified_user()
    url = f"http://127.0.0.1:{containers.port('swagger-ui', 8081)}"

    page.goto(url)
    for service in ("users-ms", "notification-ms", "auth-ms"):
        page.locator("#select").select_option(label=service)
        expect(page.locator(".info .title")).to_contain_text(service)
    operation = page.locator("#operations-sign-in-login")
    operation.get_by_role("button").first.click()
    operation.get_by_role("button", name="Try it out").click()
    operation.locator("textarea").fill(json.dumps({"username": user["email"], "password": PASSWORD}))
    operation.get_by_role("button", name="Execute").click()

    expect(operation.locator(".live-responses-table .response-col_status").nth(1)).to_contain_text("200")


def test_prometheus_reads_every_service_and_the_broker(containers):
    start(containers, "prometheus")
    up, ask = queries(containers)

    services = ["users-ms", "auth-ms", "notification-ms"]
    jobs = [(job, service) for job in ("tessera", "background") for service in services]
    expected = dict.fromkeys([*jobs, ("rabbitmq", "rabbitmq"), ("rabbitmq-node", "rabbitmq")], "1")
    eventually(lambda: expected.items() <= up().items(), seconds=60)
    names = {each["metric"]["queue"] for each in ask("rabbitmq_detailed_queue_messages")}
    assert "login_email_notification" in names


def test_the_exporters_see_each_database(containers):
    start(containers, "prometheus", "users-db-exporter", "auth-db-exporter", "notification-db-exporter")
    up, ask = queries(containers)

    services = ["users-ms", "auth-ms", "notification-ms"]
    eventually(lambda: dict.fromkeys([("postgresql", service) for service in services], "1").items() <= up().items())
    for query in (
        "pg_up == 1",
        "pg_stat_activity_count > 0",
        "pg_settings_max_connections",
        "pg_stat_database_xact_commit",
    ):
        eventually(lambda query=query: {each["metric"]["service"] for each in ask(query)} == set(services))


def test_grafana_has_the_dashboards(containers):
    start(containers, "grafana")
    url = f"http://127.0.0.1:{containers.port('grafana', 3000)}/api/search?type=dash-db"

    def titles():
        return {each["title"] for each in requests.get(url, timeout=5).json()}

    eventually(lambda: titles() == {"Tessera: services", "Tessera: events", "Tessera: orchestration"})


def queries(containers):
    """The targets that are up, by job and service; and a function that queries Prometheus."""
    url = f"http://127.0.0.1:{containers.port('prometheus', 9090)}"
    ask = asker(url)

    def up():
        return {(each["metric"]["job"], each["metric"]["service"]): each["value"][1] for each in ask("up")}

    return up, ask
