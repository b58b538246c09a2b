"""`make new-service` in a copy of the tree: new services pass all checks and run beside the others."""

import json

import pytest
import requests

from evidence.harness.copied_tree import a_tree, run
from tools.testing import tree_copy

KINDS = {"billing": [], "shipping": ["--outbox"]}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy that no test of this file changes."""
    with a_tree(tmp_path_factory.mktemp("without")) as tree:
        yield tree


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """A copy with one more service of each kind."""
    with a_tree(tmp_path_factory.mktemp("with")) as tree:
        for name, options in KINDS.items():
            run(tree, "tools", "new-service", name, *options)
        yield tree


@pytest.mark.parametrize(
    "check",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["tools", "generate", "--check"],
        ["tools", "check-documents"],
    ],
    ids=" ".join,
)
def test_a_tree_with_new_services_passes_the_checks(grown, check):
    run(grown, *check)


@pytest.mark.parametrize("name", KINDS)
def test_a_new_service_passes_its_own_tests(grown, name):
    assert " 0 failed" in run(grown, "tools", "test", f"--service={name}").stdout


def test_new_services_run_beside_the_others(grown):
    run(grown, "tools", "up", "--free-ports")

    ports = json.loads((grown / ".local" / "ports.json").read_text())
    for name in KINDS:
        service = f"http://127.0.0.1:{ports['GATEWAY_PORT']}/{name}-ms"
        assert requests.get(f"{service}/healthcheck", timeout=60).json() == {"status": "alive"}
        assert requests.get(f"{service}/items", timeout=60).status_code == 401
        assert requests.get(f"{service}/metrics", timeout=60).status_code == 404
    status = run(grown, "tools", "status").stdout
    assert "shipping-outbox-relay" in status
    assert "billing-outbox-relay" not in status


@pytest.mark.parametrize("name", ["Billing", "bill-ing", "../billing", "users", "json", "x"])
def test_an_invalid_service_name_is_rejected_and_nothing_is_written(tree, name):
    done = run(tree, "tools", "new-service", name, check=False)

    assert done.returncode != 0
    assert tree_copy.git(tree, "status", "--porcelain") == ""
