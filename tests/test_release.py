"""`make release` in a copy of the tree: changelog, version, commit, tag and files."""

import datetime
import hashlib

import yaml

from evidence.harness.copied_tree import run, tree
from tools import release
from tools.testing.tree_copy import git

__all__ = ["tree"]

LOG = "# Changelog\n\n## [Unreleased]\n\n### Added\n- One.\n\n## [0.1.0] - 2026-11-26\n\nThe first.\n"


def test_a_release_is_a_commit_a_tag_and_files(tree):
    registry = "registry.example.org:5000/tessera"

    run(tree, "tools", "release", "9.8.7", "--registry", registry)

    assert git(tree, "tag", "--list") == "v9.8.7\n"
    assert git(tree, "status", "--porcelain") == ""
    assert git(tree, "show", "v9.8.7:VERSION") == "9.8.7\n"
    assert "TESSERA_VERSION:-9.8.7}" in git(tree, "show", "v9.8.7:compose.yaml")
    assert "## [Unreleased]\n\n## [9.8.7] - " in git(tree, "show", "v9.8.7:CHANGELOG.md")
    run(tree, "tools", "generate", "--check")
    files = {file.name: file.read_text() for file in (tree / "release").iterdir()}
    services = ("users-ms", "auth-ms", "notification-ms")
    for name in services:
        assert yaml.safe_load(files[f"tessera-9.8.7-{name}-openapi.yaml"])["info"]["title"] == name
    assert yaml.safe_load(files["tessera-9.8.7-asyncapi.yaml"])["info"]["version"] == "9.8.7"
    assert files["notes.md"].startswith("### ")
    for line in files["SHA256SUMS"].splitlines():
        digest, name = line.split()
        assert hashlib.sha256(files[name].encode()).hexdigest() == digest
    objects = list(yaml.safe_load_all(files["tessera-9.8.7-minikube.yaml"]))
    kinds = {(each["kind"], each["metadata"]["name"]) for each in objects}
    assert {("Namespace", "tessera"), ("Job", "secrets-9.8.7"), ("Deployment", "users-ms-deployment")} <= kinds
    assert "kind: Secret\n" not in files["tessera-9.8.7-minikube.yaml"]
    for name in services:
        assert f"image: {registry}/{name}:9.8.7\n" in files["tessera-9.8.7-minikube.yaml"]
    assert "image: tessera/" not in files["tessera-9.8.7-minikube.yaml"]


def test_a_release_that_cannot_be_is_refused_and_changes_nothing(tree):
    def refused(version):
        done = run(tree, "tools", "release", version, check=False)
        assert done.returncode != 0
        return done.stderr

    assert "is not above" in refused("0.0.1")
    assert "three numbers" in refused("latest")
    assert git(tree, "status", "--porcelain") == ""
    (tree / "README.md").write_text("changed")
    assert "not committed" in refused("9.8.7")
    git(tree, "checkout", "--quiet", "README.md")
    git(tree, "tag", "v9.8.7")
    assert "the tag v9.8.7 exists" in refused("9.8.7")


def test_what_was_unreleased_becomes_the_section_of_the_version():
    changed = release.dated(LOG, "0.2.0", datetime.date(2026, 12, 1))

    assert "## [Unreleased]\n\n## [0.2.0] - 2026-12-01\n\n### Added\n- One.\n\n## [0.1.0]" in changed
    assert release.notes(changed, "0.2.0") == "### Added\n- One."
    assert release.notes(changed, "Unreleased") == ""
    assert release.notes(changed, "0.1.0") == "The first."


def test_the_order_of_versions():
    assert sorted(["0.10.0", "0.2.0", "0.2.0-rc.1", "1.0.0", "0.9.1"], key=release.order) == [
        "0.2.0-rc.1",
        "0.2.0",
        "0.9.1",
        "0.10.0",
        "1.0.0",
    ]
