"""The supply chain of images: SBOMs, attestations, and pinned dependencies."""

import json
import re
import subprocess

import pytest
import yaml

from installation.service_catalog import SERVICES
from local.paths import ROOT
from tools.supply_chain import auditing, sboms


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    """The SBOM of each service's image."""
    paths = sboms.write(version="1.2.3", folder=tmp_path_factory.mktemp("sbom"))
    return dict(zip(SERVICES, [json.loads(path.read_text()) for path in paths], strict=True))


@pytest.mark.parametrize("service", SERVICES)
def test_the_sbom_of_a_service_names_every_package_with_its_hashes(documents, service):
    locked = (ROOT / "requirements" / f"{service}.txt").read_text()
    document = documents[service]

    components = {(each["name"], each["version"]): each for each in document["components"]}

    assert set(components) == set(auditing._LOCKED.findall(locked))
    assert len(components) > 40
    for each in components.values():
        hashes = {found["content"] for reference in each["externalReferences"] for found in reference["hashes"]}
        assert hashes and all(f"sha256:{found}" in locked for found in hashes)
        assert each["purl"].startswith("pkg:pypi/")
    about = document["metadata"]["component"]
    assert (about["name"], about["version"]) == (f"tessera/{SERVICES[service]}", "1.2.3")
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")


def test_an_sbom_is_reproducible(documents, tmp_path):
    again = sboms.write(version="1.2.3", folder=tmp_path)

    assert [json.loads(path.read_text()) for path in again] == list(documents.values())


@pytest.mark.parametrize("environment", ["dev", "bench"])
def test_an_environment_that_runs_the_services_has_the_packages_of_their_images(environment):
    found = set(auditing._LOCKED.findall((ROOT / "requirements" / f"{environment}.txt").read_text()))

    for service in SERVICES:
        locked = auditing._LOCKED.findall((ROOT / "requirements" / f"{service}.txt").read_text())
        assert set(locked) <= found, service


def test_images_are_pushed_with_sbom_and_provenance():
    command = ["make", "--dry-run", "push", "REGISTRY=registry.example.org/tessera", "VERSION=1.2.3"]

    output = subprocess.run(command, cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE).stdout

    assert "--provenance=mode=max" in output
    assert "--sbom=true" in output
    assert "--metadata-file=sbom/images.json" in output


def test_a_release_attests_the_pushed_images():
    job = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]["images"]

    attested = [step["with"] for step in job["steps"] if "attest-build-provenance" in step.get("uses", "")]

    assert attested == [{"subject-checksums": "sbom/images.sha256"}, {"subject-path": "sbom/*.cdx.json"}]
    assert job["permissions"] == {"contents": "read", "id-token": "write", "attestations": "write"}


def test_every_action_is_pinned_to_a_commit():
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        used = re.findall(r"uses: (\S+)", path.read_text())
        assert used and all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", each) for each in used)


def test_renovate_pins_images_to_digests():
    assert "docker:pinDigests" in json.loads((ROOT / "renovate.json").read_text())["extends"]


def test_make_requirements_locks_every_file():
    loop = re.search(r"for name in ([\w -]+);", (ROOT / "Makefile").read_text())
    stems = {path.stem for path in (ROOT / "requirements").glob("*.in")} - {"chassis"}

    assert set(loop[1].split()) == stems
