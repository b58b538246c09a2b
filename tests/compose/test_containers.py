"""Permissions of containers, tested from inside, and access between networks."""

import pytest

from evidence.harness.containers import SERVICES
from installation import secret_values

TESSERA = [name for name in SERVICES if name.startswith(("users", "auth", "notification")) and not name.endswith("-db")]
CAPABILITIES = {"gateway": {"NET_BIND_SERVICE"}}
CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=1).close()
except OSError as error:
    sys.exit(f"unreachable: {error}")
"""


def connects(containers, service, host, port):
    """True when a process inside `service` can open a connection."""
    status, output = containers.inside(service, "python", "-c", CONNECT, host, str(port))
    assert status == 0 or "unreachable" in output, output
    return status == 0


def test_the_list_of_services_is_complete(containers):
    assert sorted(containers.services()) == sorted(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_has_no_more_than_it_needs(containers, service):
    [container] = containers.of(service)
    host = containers.inspect(container)["HostConfig"]

    assert host["CapDrop"] == ["ALL"]
    assert set(host["CapAdd"] or []) == CAPABILITIES.get(service, set())
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["ReadonlyRootfs"]
    assert not host["Privileged"]
    assert host["Memory"] > 0
    assert host["NanoCpus"] > 0
    assert host["PidsLimit"] > 0
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}


@pytest.mark.parametrize("service", [name for name in SERVICES if name != "mail-catcher"])  # has no shell
def test_a_process_is_not_root_and_cannot_write(containers, service):
    _, user = containers.inside(service, "id", "-u")
    status, output = containers.inside(service, "sh", "-c", "echo x > /probe")

    assert int(user) > 0
    assert status != 0
    assert "Read-only file system" in output


@pytest.mark.parametrize("service", SERVICES)
def test_no_secret_is_in_an_environment_or_a_command(containers, service):
    values = containers.project.secrets
    secrets = [values[name] for name in secret_values.NAMES]
    [container] = containers.of(service)
    seen = containers.inspect(container)
    shown = str([seen["Config"]["Env"], seen["Config"]["Cmd"], seen["Config"]["Entrypoint"], seen["Args"]])

    assert not [name for name, secret in zip(secret_values.NAMES, secrets, strict=True) if secret in shown]


@pytest.mark.parametrize("service", ["users-ms", "auth-ms", "notification-ms"])
def test_an_image_has_no_compiler_and_no_installer(containers, service):
    for program in ("gcc", "cc", "make"):
        status, _ = containers.inside(service, "sh", "-c", f"command -v {program}")
        assert status != 0, program
    _, output = containers.inside(service, "sh", "-c", "ls /venv/bin /venv/lib/python3*/site-packages")
    assert "gunicorn" in output
    assert "pip" not in output.split()


def test_only_the_owner_reaches_a_database(containers):
    databases = {}
    for owner in ("users", "auth", "notification"):
        [container] = containers.of(f"{owner}-db")
        [network] = containers.inspect(container)["NetworkSettings"]["Networks"].values()
        databases[owner] = network["IPAddress"]

    for service in TESSERA:
        for owner, address in databases.items():
            own = service.startswith(f"{owner}-")
            assert connects(containers, service, f"{owner}-db", 5432) is own, (service, owner)
            assert connects(containers, service, address, 5432) is own, (service, owner, "by address")


def test_web_services_of_accounts_do_not_reach_the_broker(containers):
    assert connects(containers, "users-outbox-relay", "rabbitmq", 5672)
    assert not connects(containers, "users-ms", "rabbitmq", 5672)
    assert not connects(containers, "auth-ms", "rabbitmq", 5672)


def test_a_container_has_the_broker_secret_of_its_own_process_and_no_other(containers):
    found = {}
    for service in TESSERA:
        _, output = containers.inside(service, "ls", "/run/secrets")
        found[service] = [name for name in output.split() if name.endswith("broker_url")]

    without = {"users-ms", "auth-ms"}
    assert found == {
        service: [] if service in without else [f"{service.replace('-', '_')}_broker_url"] for service in TESSERA
    }


def test_only_the_workers_that_send_tokens_have_the_private_key(containers):
    holders = {
        service for service in TESSERA if "sealing_private_key" in containers.inside(service, "ls", "/run/secrets")[1]
    }

    assert holders == {"notification-email-worker", "notification-sms-worker"}


def test_only_the_callers_of_users_ms_reach_it(containers):
    others = [service for service in TESSERA if not service.startswith("users")]

    reached = {service for service in others if connects(containers, service, "users-ms", 4000)}

    assert reached == {"auth-ms", "notification-ms", "auth-event-worker", "notification-email-worker"}


def test_only_the_notification_workers_reach_the_mail_server(containers):
    reached = {service for service in TESSERA if connects(containers, service, "mail-catcher", 1025)}

    assert reached == {"notification-email-worker", "notification-sms-worker"}


def test_ports_are_bound_to_this_machine_alone(containers):
    for service in SERVICES:
        for container in containers.of(service):
            bound = containers.inspect(container)["HostConfig"]["PortBindings"] or {}
            assert {each["HostIp"] for binding in bound.values() for each in binding} <= {"127.0.0.1"}, service
