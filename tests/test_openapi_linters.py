"""Redocly and Spectral, which judge OpenAPI documents for many tools, find no error in ours."""

import os
import subprocess
from pathlib import Path

import pytest

from evidence.harness import client_packages
from local.paths import ROOT

LINTERS = Path(__file__).parent / "openapi_linters"
COMMANDS = {
    "redocly": ["lint", "--format=stylish"],
    "spectral": ["lint", "--fail-severity=error", f"--ruleset={LINTERS / 'spectral.yaml'}"],
}


@pytest.fixture(scope="module")
def linters():
    return client_packages.npm_packages(LINTERS, ROOT / ".local" / "openapi-linters")


@pytest.mark.parametrize("linter", COMMANDS)
@pytest.mark.parametrize("service", ["users", "auth", "notification"])
def test_the_published_documents_have_no_errors(linters, linter, service):
    document = ROOT / "docs" / "openapi" / f"{service}-ms.yaml"
    command = [linters / "node_modules" / ".bin" / linter, *COMMANDS[linter], document]
    quiet = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}

    done = subprocess.run(command, env=os.environ | quiet, cwd=linters, capture_output=True, text=True, timeout=600)

    assert done.returncode == 0, done.stdout + done.stderr
