"""From version 0.1.0 to this tree, as its users upgrade: the new code in the old clone, and `make deploy`."""

import subprocess

import pytest
import requests

from evidence.harness.load import traffic
from evidence.harness.stack import PASSWORD, a_user
from evidence.harness.typed_commands import DOWN, Clone
from local.paths import ROOT
from tools.testing import tree_copy
from tools.testing.compose_tests import NEXT_VERSION

FIRST_VERSION = "be90294"  # the commit of 0.1.0 in the changelog
# The changelog says to type this.
KEEP_SECRETS = (
    "grep -E '^[A-Z_]+=' .env | grep -v '^SECRETS_DIRECTORY=' | while IFS='=' read -r name value; "
    'do echo "$value" > ".local/secrets/$(echo "$name" | tr A-Z a-z)"; done'
)
BUILD_SECONDS = 1800


@pytest.fixture
def clone(tmp_path):
    """Version 0.1.0 with a project name of its own, started."""
    known = subprocess.run(["git", "cat-file", "-e", FIRST_VERSION], cwd=ROOT, capture_output=True)
    if known.returncode:
        pytest.skip("the commit of version 0.1.0 is not in this clone's history; `git fetch --unshallow` brings it")
    folder = tmp_path / "tessera-upgrade"
    folder.mkdir()
    archive = subprocess.run(["git", "archive", FIRST_VERSION], cwd=ROOT, capture_output=True, check=True)
    subprocess.run(["tar", "--extract"], cwd=folder, input=archive.stdout, check=True)
    clone = Clone(folder)
    clone.environment |= {"COMPOSE_PROJECT_NAME": folder.name, "TESSERA_VERSION": "0.1.0-test", "UP": "compose"}
    try:
        clone.typed("make up", seconds=BUILD_SECONDS)
        yield clone
    finally:
        images = "$(docker image ls --quiet --filter reference='tessera/*:0.1.0-test')"
        clone.typed(f"{DOWN}; docker image rm --force {images}", check=False)


def replace_tree(clone):
    """What `git pull` does: the files of 0.1.0 go, those of this tree come; ignored ones such as .env stay."""
    for name in tree_copy.git(ROOT, "ls-tree", "-r", "--name-only", FIRST_VERSION).splitlines():
        (clone.folder / name).unlink()
    clone.typed("rm -rf .venv")  # a link to this tree's takes its place
    tree_copy.copy_tree(clone.folder)
    clone.environment["TESSERA_VERSION"] = NEXT_VERSION


def test_no_request_fails_while_version_0_1_0_is_upgraded_and_its_data_stays(clone):
    assert KEEP_SECRETS in (ROOT / "CHANGELOG.md").read_text()
    user = a_user()
    assert clone.sign_up(user) == 201
    login = {"username": user["email"], "password": PASSWORD}
    tokens = requests.post(f"{clone.gateway}/auth-ms/auth/login", json=login, timeout=60).json()
    replace_tree(clone)

    unprepared = clone.typed("make deploy", check=False, seconds=BUILD_SECONDS)
    assert "Lost: auth_db_password, notification_db_password, users_db_password." in unprepared.stdout
    assert clone.log_in(user) == 200

    clone.typed(KEEP_SECRETS)
    calls = {
        "log in": lambda: requests.post(f"{clone.gateway}/auth-ms/auth/login", json=login, timeout=10),
        "probe": lambda: requests.get(f"{clone.gateway}/users-ms/healthcheck", timeout=10),
        "document": lambda: requests.get(f"{clone.gateway}/notification-ms/openapi.json", timeout=10),
    }
    with traffic(calls) as seen:
        clone.typed("make deploy", seconds=BUILD_SECONDS)

    print(f"\n    {seen} during the upgrade from 0.1.0")
    assert seen.served > 100
    assert seen.failures == []
    body = {"refresh_token": tokens["refresh_token"]}
    assert requests.post(f"{clone.gateway}/auth-ms/auth/refresh", json=body, timeout=60).status_code == 200
    clone.typed("make up", seconds=BUILD_SECONDS)  # replaces databases, broker and gateway, which were not replaced
    assert clone.log_in(user) == 200
