"""`make new-service` in a copy of the tree: the new service passes all checks and runs beside the others."""

import json

import pytest
import requests

from evidence.harness.copied_tree import run, tree
from tools.testing import tree_copy

__all__ = ["tree"]


@pytest.mark.parametrize("options", [[], ["--outbox"]], ids=["without an outbox", "with an outbox"])
def test_a_new_service_passes_all_checks_and_runs_beside_the_others(tree, options):
    run(tree, "tools", "new-service", "billing", *options)

    run(tree, "ruff", "check", ".")
    run(tree, "ruff", "format", "--check", ".")
    run(tree, "tools", "generate", "--check")
    run(tree, "tools", "check-documents")
    assert " 0 failed" in run(tree, "tools", "test", "--service=billing").stdout
    run(tree, "tools", "up", "--free-ports")
    gateway = f"http://127.0.0.1:{json.loads((tree / '.local' / 'ports.json').read_text())['GATEWAY_PORT']}/billing-ms"
    assert requests.get(f"{gateway}/healthcheck", timeout=60).json() == {"status": "alive"}
    assert requests.get(f"{gateway}/items", timeout=60).status_code == 401
    assert requests.get(f"{gateway}/metrics", timeout=60).status_code == 404
    assert ("billing-outbox-relay" in run(tree, "tools", "status").stdout) == bool(options)


@pytest.mark.parametrize("name", ["Billing", "bill-ing", "../billing", "users", "json", "x"])
def test_an_invalid_service_name_is_rejected_and_nothing_is_written(tree, name):
    done = run(tree, "tools", "new-service", name, check=False)

    assert done.returncode != 0
    assert tree_copy.git(tree, "status", "--porcelain") == ""
