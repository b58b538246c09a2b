"""Operations on a stack with data: stop, deploy, back up and restore."""

import shutil
from pathlib import Path

import requests

from evidence.harness.load import traffic
from tools.testing.compose_tests import NEXT_VERSION


def test_the_data_survives_a_stop(stack, containers, all_is_well):
    user = stack.verified_user()

    stack.command("down")
    assert not containers.project.runs()
    containers.project.up()

    assert stack.log_in(user["email"]).status_code == 200
    all_is_well()


def test_no_request_fails_while_the_next_version_replaces_every_process(stack, containers):
    """`make deploy` builds it and keeps the data. It is the same code under another version."""
    user = stack.verified_user()
    with containers.project.environment.open("a") as settings:
        settings.write(f"TESSERA_VERSION={NEXT_VERSION}\n")
    before = {service: set(containers.of(service)) for service in ("users-ms", "auth-ms", "notification-ms")}

    calls = {
        "log in": lambda: stack.log_in_once(user["email"]),
        "probe": lambda: requests.get(f"{stack.gateway}/users-ms/healthcheck", timeout=10),
        "document": lambda: requests.get(f"{stack.gateway}/notification-ms/openapi.json", timeout=10),
    }
    with traffic(calls) as seen:
        stack.command("deploy")

    print(f"\n    {seen} during make deploy")
    assert seen.served > 100
    assert seen.failures == []
    for service, old in before.items():
        now = set(containers.of(service))
        assert not old & now
        assert {containers.inspect(each)["Config"]["Image"] for each in now} == {f"tessera/{service}:{NEXT_VERSION}"}
    assert stack.log_in(user["email"]).status_code == 200


def test_a_backup_restores_the_accounts_into_an_empty_stack(stack, containers, tmp_path):
    project = containers.project
    user = stack.verified_user()
    stack.command("backup")
    [file] = Path(f"{stack.directory}-backups").glob("*.tar")
    assert file.stat().st_mode & 0o077 == 0

    key = project.secrets["SIGNING_KEY_ENCRYPTION_KEY"]
    project.down(volumes=True)
    put_back = ["sh", "-c", "cat > /secrets/signing_key_encryption_key"]
    project.run("run", "--rm", "--no-TTY", "secrets", *put_back, input=key, check=True)
    project.up()
    assert stack.log_in(user["email"]).status_code == 401
    stack.command("restore", str(file))

    assert stack.log_in(user["email"]).status_code == 200
    shutil.rmtree(file.parent)
