"""Clients that openapi-generator makes of the published documents compile, and a user's first minutes work with them.

The commands are those of docs/guides/generated-clients.md. Each language has a program in `openapi_generator/`.
"""

import json
import os
import re
import secrets
import shutil
import subprocess
from pathlib import Path

import pytest

from evidence.harness import client_packages
from evidence.harness.stack import PASSWORD
from local.paths import ROOT
from tools import environments

GUIDE = ROOT / "docs" / "guides" / "generated-clients.md"
PROGRAMS = Path(__file__).parent / "openapi_generator"
SERVICES = ["users", "auth", "notification"]


def run(*command, folder, **variables):
    """What a command printed; fails with all its output."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=900,  # for a busy machine
    )
    assert done.returncode == 0, done.stdout[-10000:] + done.stderr[-10000:]
    return done.stdout


@pytest.fixture(scope="module")
def python():
    """The Python that has openapi-generator and what its clients need."""
    client_packages.need({"default-jre-headless": shutil.which("java")})
    name = "openapi-generator"
    return client_packages.python(environments.ENVIRONMENTS[name], ROOT / "requirements" / f"{name}.txt")


@pytest.fixture
def generate(stack, python, tmp_path):
    """`generate("go")` runs the guide's command for each service, and returns the folder with the three clients."""

    def generated(language):
        [command] = re.findall(rf"^openapi-generator-cli (generate -g {language} .*)$", GUIDE.read_text(), re.MULTILINE)
        for service in SERVICES:
            words = command.replace("http://localhost:8080", stack.gateway).replace("users", service).split()
            faster_start = {"JAVA_OPTS": "-XX:TieredStopAtLevel=1"}
            run(python.parent / "openapi-generator-cli", *words, folder=tmp_path, **faster_start)
        return tmp_path

    return generated


@pytest.fixture
def variables(stack):
    """What the programs read: the services' addresses, a user, and an address that nobody has."""
    addresses = {"USERS_URL": stack.users, "AUTH_URL": stack.auth, "NOTIFICATION_URL": stack.notification}
    new = f"generated.{secrets.token_hex(8)}@example.org"
    return addresses | {"EMAIL": stack.verified_user()["email"], "PASSWORD": PASSWORD, "NEW_EMAIL": new}


def expect(printed, variables):
    assert json.loads(printed) == {
        "signed_up": variables["NEW_EMAIL"],
        "taken": [409, "email_taken", None],
        "invalid": [400, "invalid_input", {"email": ["invalid"]}],
        "wrong_password": [401, "wrong_credentials", None],
        "profile": [variables["EMAIL"], True],
        "sessions": [[True], None],
        "notified": ["email_verification_requested_event"],
        "forbidden": [403, "permission_denied", None],
        "later": 2**40,
    }


def test_typescript(generate, variables):
    packages = client_packages.npm_packages(PROGRAMS, ROOT / ".local" / "openapi-generator")
    folder = generate("typescript-fetch")
    (folder / "node_modules").symlink_to(packages / "node_modules")
    for name in ("package.json", "tsconfig.json", "story.ts"):
        shutil.copy(PROGRAMS / name, folder)

    run("node", "node_modules/typescript/bin/tsc", folder=folder)

    expect(run("node", "compiled/story.js", folder=folder, **variables), variables)


def test_python(generate, python, variables):
    folder = generate("python")
    shutil.copy(PROGRAMS / "story.py", folder)

    expect(run(python, "-W", "error", "story.py", folder=folder, **variables), variables)


def test_go(generate, variables):
    client_packages.need({"golang-go": shutil.which("go")})
    folder = generate("go")
    for name in ("go.mod", "go.sum", "story.go"):
        shutil.copy(PROGRAMS / name, folder)
    locked = {"GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    client_packages.install("go", "mod", "download", folder=folder, **locked)

    run("go", "vet", ".", *(f"./{service}" for service in SERVICES), folder=folder, **locked)

    expect(run("go", "run", ".", folder=folder, **locked, **variables), variables)
