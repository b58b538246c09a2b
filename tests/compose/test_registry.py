"""`make push` to a registry with TLS and a login, and a stack that is started from there."""

import contextlib
import ipaddress
import json
import shutil
import subprocess
import time

import bcrypt
import pytest
import requests
from cryptography import x509

from evidence.harness.certificates import Authority
from evidence.harness.stack import a_user
from evidence.harness.typed_commands import Clone
from evidence.harness.waiting import eventually
from local import ports
from tools.testing import tree_copy

VERSION = "0.9.0-test"
NAMES = ("users-ms", "auth-ms", "notification-ms")
LOGIN = ("tessera", "a password of the tests")
INDEX = "application/vnd.oci.image.index.v1+json"
KINDS = f"{INDEX}, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"


class Registry:
    """Debian's docker-registry on a port of 127.0.0.1."""

    def __init__(self, folder):
        self.authority = Authority(folder)
        certificate = self.authority.certificate(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        (folder / "htpasswd").write_text(f"{LOGIN[0]}:{bcrypt.hashpw(LOGIN[1].encode(), bcrypt.gensalt(5)).decode()}\n")
        self.host = f"127.0.0.1:{ports.free()['GATEWAY_PORT']}"
        configuration = {
            "version": "0.1",
            "storage": {"filesystem": {"rootdirectory": str(folder / "images")}},
            "auth": {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}},
            "http": {"addr": self.host, "tls": {"certificate": str(certificate), "key": str(certificate)}},
        }
        (folder / "config.yml").write_text(json.dumps(configuration))  # JSON is YAML
        self.log = folder / "registry.log"
        with self.log.open("w") as log:
            command = ["docker-registry", "serve", str(folder / "config.yml")]
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def get(self, path, **options):
        """An answer over TLS that the authority's certificate proves."""
        return requests.get(f"https://{self.host}/v2/{path}", verify=str(self.authority.file), timeout=10, **options)

    def answers(self):
        """True as soon as it listens."""
        with contextlib.suppress(requests.ConnectionError):
            return self.get("").status_code == 401
        return False


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    if not shutil.which("docker-registry"):
        pytest.skip("docker-registry is not installed; `make compose-test` installs it on Debian as root")
    registry = Registry(tmp_path_factory.mktemp("registry"))
    try:
        eventually(registry.answers)
        yield registry
    finally:
        registry.process.terminate()
        registry.process.wait(timeout=30)


@pytest.fixture(scope="module")
def clone(registry, tmp_path_factory):
    """A copy of the tree whose engine client has a configuration of its own, with no login at first."""
    folder = tmp_path_factory.mktemp("registry-clone") / "tessera-registry"
    folder.mkdir()
    tree_copy.copy_tree(folder)
    clone = Clone(folder)
    clone.environment |= {"DOCKER_CONFIG": str(folder.parent / "docker"), "TESSERA_VERSION": VERSION}
    clone.environment |= {"TESSERA_REGISTRY": f"{registry.host}/tessera"}
    yield clone
    clone.typed("docker compose down --volumes --remove-orphans", check=False)
    images = " ".join(f"{registry.host}/tessera/{name}:{VERSION}" for name in (*NAMES, "loadtest"))
    clone.typed(f"docker image rm {images}", check=False)


@pytest.fixture(scope="module")
def options(clone, registry):
    """How `make push` is called: as it stands where the builder can do all of it, else with what it lacks left out."""
    (clone.folder.parent / "buildkitd.toml").write_text(
        f'[registry."{registry.host}"]\n  ca = ["{registry.authority.file}"]\n'
    )
    made = clone.typed(
        "docker buildx create --use --name tessera-registry --driver docker-container --driver-opt network=host "
        f"--config {clone.folder.parent}/buildkitd.toml --bootstrap",
        check=False,
    )
    if made.returncode == 0:
        yield ""
    else:
        reason = made.stdout.strip().splitlines()[-1]
        print(f"\n    no builder for several platforms and attestations here ({reason}): one platform, without them")
        clone.typed("docker buildx use default")
        yield "PLATFORMS= ATTESTATIONS="
    clone.typed("docker buildx rm --force tessera-registry", check=False)


def test_nobody_pushes_without_a_login(clone, registry, options):
    assert registry.get("").status_code == 401
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"https://{registry.host}/v2/", timeout=10)

    refused = clone.typed(f"make push REGISTRY={registry.host}/tessera VERSION={VERSION} {options}", check=False)

    assert refused.returncode != 0
    assert registry.get("_catalog", auth=LOGIN).json() == {"repositories": []}


def test_pushed_images_have_the_digests_that_make_push_writes(clone, registry, options):
    clone.typed(f"docker login --username {LOGIN[0]} --password-stdin {registry.host}", given=LOGIN[1])

    clone.typed(f"make push REGISTRY={registry.host}/tessera VERSION={VERSION} {options}")

    pushed = json.loads((clone.folder / "sbom" / "images.json").read_text())
    for name in NAMES:
        answer = registry.get(f"tessera/{name}/manifests/{VERSION}", auth=LOGIN, headers={"Accept": KINDS})
        assert answer.headers["Docker-Content-Digest"] == pushed[name.removesuffix("-ms")]["containerimage.digest"]
        print(f"\n    {name}: {answer.headers['Content-Type']} {answer.headers['Docker-Content-Digest']}", end="")
        if not options:
            entries = answer.json()["manifests"]
            kinds = [each.get("annotations", {}).get("vnd.docker.reference.type") for each in entries]
            platforms = {each["platform"]["architecture"] for each in entries}
            assert platforms >= {"amd64", "arm64"}
            assert kinds.count("attestation-manifest") == 2  # SBOM and provenance, for each platform


def test_a_stack_starts_from_the_registry(clone, registry, options):
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


def test_nobody_pulls_without_a_login(clone, registry, options):
    clone.typed(f"docker logout {registry.host}")

    refused = clone.typed("docker compose pull users-ms", check=False)

    assert refused.returncode != 0
