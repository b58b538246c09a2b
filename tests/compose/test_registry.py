"""`make push` to a registry with TLS and a login, what is pushed, and a stack that is started from there."""

import json
import re
import shutil
import time

import pytest
import requests
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from evidence.harness.image_builder import image_builder
from evidence.harness.image_registry import INDEX, PASSWORD, USER, image_registry
from evidence.harness.stack import a_user
from evidence.harness.typed_commands import DOWN, a_clone

VERSION = "0.9.0-test"
NAMES = ("users-ms", "auth-ms", "notification-ms")
PLATFORMS = ("linux/amd64", "linux/arm64")
BUILD_SECONDS = 3000  # of all images for both, of which one is emulated
SBOM = "https://spdx.dev/Document"
PROVENANCE = "https://slsa.dev/provenance/"
IN_THE_REMOTE, IN_THE_ENVIRONMENT = "a-token-in-the-url", "a-password-of-the-workflow"


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    if not shutil.which("docker-registry"):
        pytest.skip("docker-registry is not installed; `make compose-test` installs it on Debian as root")
    with image_registry(tmp_path_factory.mktemp("registry")) as started:
        yield started


@pytest.fixture(scope="module")
def clone(registry, tmp_path_factory):
    """A copy of the tree whose engine client has a configuration of its own, with no login at first."""
    folder = tmp_path_factory.mktemp("registry-clone") / "tessera-registry"
    images = " ".join(f"{registry.host}/tessera/{name}:{VERSION}" for name in (*NAMES, "loadtest"))
    with a_clone(folder, undo=f"{DOWN}; docker image rm {images}") as clone:
        clone.environment |= {"DOCKER_CONFIG": str(folder.parent / "docker"), "TESSERA_VERSION": VERSION}
        clone.environment |= {"TESSERA_REGISTRY": f"{registry.host}/tessera", "REGISTRY_PASSWORD": IN_THE_ENVIRONMENT}
        clone.typed(f"git remote add origin https://someone:{IN_THE_REMOTE}@git.example.org/tessera.git")
        yield clone


@pytest.fixture(scope="module")
def lacking(clone, registry, tmp_path_factory):
    """Why no builder here builds for several platforms and makes attestations; empty when one does."""
    with image_builder(clone, registry, tmp_path_factory.mktemp("builder")) as reason:
        if reason:
            print(f"\n    no builder for several platforms and attestations ({reason}): one platform, without them")
        yield reason


@pytest.fixture(scope="module")
def push(registry, lacking):
    """How `make push` is called: as it stands where the builder can do all of it, else without what it lacks."""
    command = f"make push REGISTRY={registry.host}/tessera VERSION={VERSION}"
    return f"{command} PLATFORMS= ATTESTATIONS=" if lacking else command


@pytest.fixture(scope="module")
def complete(lacking):
    """Skips tests of what only such a builder makes."""
    if lacking:
        pytest.skip(f"no builder for several platforms and attestations here: {lacking}")


def test_nobody_pushes_without_a_login(clone, registry, push):
    assert registry.get("").status_code == 401
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"https://{registry.host}/v2/", timeout=10)

    refused = clone.typed(push, check=False, seconds=BUILD_SECONDS)

    assert refused.returncode != 0
    assert "401 Unauthorized" in refused.stdout or "no basic auth credentials" in refused.stdout, refused.stdout
    assert registry.get("_catalog", auth=(USER, PASSWORD)).json() == {"repositories": []}


def test_pushed_images_have_the_digests_that_make_push_writes(clone, registry, push):
    clone.typed(f"docker login --username {USER} --password-stdin {registry.host}", given=PASSWORD)

    clone.typed(push, seconds=BUILD_SECONDS)

    pushed = json.loads((clone.folder / "sbom" / "images.json").read_text())
    for name in (*NAMES, "loadtest"):
        answer = registry.manifest(f"tessera/{name}", VERSION)
        assert answer.headers["Docker-Content-Digest"] == pushed[name.removesuffix("-ms")]["containerimage.digest"]
        print(f"\n    {name}: {answer.headers['Content-Type']} {answer.headers['Docker-Content-Digest']}", end="")


@pytest.mark.usefixtures("complete")
@pytest.mark.parametrize("name", [*NAMES, "loadtest"])
def test_a_pushed_tag_is_an_index_of_both_platforms_with_attestations_for_each(registry, name):
    answer = registry.manifest(f"tessera/{name}", VERSION)

    assert answer.headers["Content-Type"] == INDEX
    assert set(registry.platforms(f"tessera/{name}", VERSION)) == set(PLATFORMS)
    for platform in PLATFORMS:
        kinds = sorted(registry.attestations(f"tessera/{name}", VERSION, platform))
        assert len(kinds) == 2
        assert kinds[0].startswith(PROVENANCE)
        assert kinds[1] == SBOM


@pytest.mark.usefixtures("complete")
@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("service", ["users", "auth", "notification"])
def test_the_sbom_of_an_image_names_every_locked_package(clone, registry, service, platform):
    locked = locked_for_linux(clone, service)
    assert "django" in dict(locked)

    document = registry.attestations(f"tessera/{service}-ms", VERSION, platform)[SBOM]["predicate"]

    assert document["spdxVersion"].startswith("SPDX-2")
    named = {canonical(each["name"], each.get("versionInfo", "")) for each in document["packages"]}
    assert locked <= named, sorted(locked - named)
    assert "libc6" in dict(named)  # the system's packages too


@pytest.mark.usefixtures("complete")
@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_provenance_of_an_image_names_its_sources_and_no_secret(clone, registry, platform):
    revision = clone.typed("git rev-parse HEAD").stdout.strip()

    found = registry.attestations("tessera/users-ms", VERSION, platform)

    [kind] = [each for each in found if each.startswith(PROVENANCE)]
    text = json.dumps(found[kind]["predicate"])
    assert revision in text
    assert re.search(r"pkg:docker/python@3\.13-slim-trixie", text)
    configuration = registry.configuration("tessera/users-ms", VERSION, platform)
    labels = configuration["config"]["Labels"]
    assert labels["org.opencontainers.image.revision"] == revision
    assert labels["org.opencontainers.image.source"] == "https://git.example.org/tessera.git"
    for secret in (PASSWORD, IN_THE_REMOTE, IN_THE_ENVIRONMENT):
        assert secret not in text
        assert secret not in json.dumps(configuration)


@pytest.mark.usefixtures("complete")
@pytest.mark.parametrize("service", ["users", "auth", "notification"])
def test_the_image_for_arm64_runs_on_arm64(clone, registry, service):
    digest = registry.platforms(f"tessera/{service}-ms", VERSION)["linux/arm64"]
    image = f"{registry.host}/tessera/{service}-ms@{digest}"
    command = f"docker run --rm --network none --platform linux/arm64 {arm64_settings()} {image}"
    machine = clone.typed(f"{command} python -c 'import platform; print(platform.machine())'", check=False)
    if "exec format error" in machine.stdout:
        pytest.skip("this machine's kernel runs no programs for arm64: no QEMU is registered with binfmt_misc")
    assert machine.stdout.splitlines()[-1] == "aarch64", machine.stdout

    checked = clone.typed(f"{command} python manage.py check")

    assert "System check identified no issues" in checked.stdout
    clone.typed(f"docker image rm {image}", check=False)


def test_a_stack_starts_from_the_registry(clone, registry, push):
    for name in NAMES:
        clone.typed(f"docker image rm {registry.host}/tessera/{name}:{VERSION}", check=False)
    started = time.monotonic()
    user = a_user()

    clone.typed("docker compose pull users-ms auth-ms notification-ms")
    clone.typed("docker compose up -d --wait --no-build")

    assert clone.sign_up(user) == 201
    assert clone.log_in(user) == 200
    used = clone.typed("docker compose ps --format '{{.Image}}' users-ms auth-event-worker").stdout.split()
    assert used == [f"{registry.host}/tessera/{name}:{VERSION}" for name in ("auth-ms", "users-ms")]
    print(f"\n    from the pull to the first login: {time.monotonic() - started:.0f} s")


def test_nobody_pulls_without_a_login(clone, registry, push):
    clone.typed(f"docker logout {registry.host}")

    refused = clone.typed("docker compose pull users-ms", check=False)

    assert refused.returncode != 0


def locked_for_linux(clone, service):
    """The locked packages but for those that only Windows needs."""
    lines = re.findall(r"^(\S+==.+?) \\$", (clone.folder / "requirements" / f"{service}.txt").read_text(), re.MULTILINE)
    needed = [each for each in map(Requirement, lines) if each.marker is None or each.marker.evaluate()]
    return {canonical(each.name, str(each.specifier).removeprefix("==")) for each in needed}


def canonical(name, version):
    """A package's name as PyPI compares names, and its version."""
    return canonicalize_name(name), version


def arm64_settings():
    """What a service needs to load its settings; it connects to nothing."""
    settings = {"DATABASE_URL": "postgres://a:b@c/d", "SECRET_KEY": "0" * 50, "BROKER_URL": "amqp://a:b@c:5672//"}
    settings |= {
        "AUTH_URL": "http://a:1",
        "USERS_URL": "http://a:1",
        "EMAIL_URL": "smtp://a:25",
        "SMS_URL": "smtp://a:25",
    }
    settings |= {"SIGNING_KEY_ENCRYPTION_KEY": "0" * 50, "SEALING_PUBLIC_KEY": "0"}
    return " ".join(f"--env {name}={value}" for name, value in settings.items())
