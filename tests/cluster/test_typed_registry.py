"""Images that the nodes pull from a registry with a login, as docs/compose.md and the component image-pull-secret say.

CLUSTER_TEST_REGISTRY names the registry, such as registry.example.org/tessera, whose certificate the nodes trust;
CLUSTER_TEST_REGISTRY_USER may push to it with CLUSTER_TEST_REGISTRY_PASSWORD. With BUILDX_BUILDER, a builder for
several platforms, `make push` does all that it can. Runs last, because it deletes the namespace with its data.
"""

import json
import os
import secrets
from pathlib import Path

import pytest

from evidence.harness.typed_commands import a_clone
from evidence.harness.waiting import eventually
from tools.deployment import kubernetes
from tools.deployment.kubernetes import kubectl

VERSION = f"0.9.0-{secrets.token_hex(4)}"  # a node keeps images, and asks for no login to run one that it has
APPLY = "kubectl apply -k kustomize/overlays/minikube"
DELETE = "kubectl delete -k kustomize/overlays/minikube --ignore-not-found"
README = Path("kustomize/components/image-pull-secret/README.md")
BUILD_SECONDS = 3000  # of all images for both platforms, of which one is emulated


@pytest.fixture(scope="module")
def registry():
    """Its address, with the path that comes before the images' names."""
    if not (address := os.environ.get("CLUSTER_TEST_REGISTRY")):
        pytest.skip("CLUSTER_TEST_REGISTRY names no registry that the nodes of this cluster trust")
    return address


@pytest.fixture(scope="module")
def clone(registry, tmp_path_factory):
    """A copy of the tree whose overlay has the images of the registry; its pods pull with a login."""
    kept = ("BUILDX_BUILDER", "KUBECONFIG", "SSL_CERT_FILE")
    with a_clone(tmp_path_factory.mktemp("clone"), undo=DELETE) as clone:
        clone.environment |= {name: os.environ[name] for name in kept if name in os.environ}
        clone.environment |= {"BUILDX_CONFIG": str(Path.home() / ".docker" / "buildx")}
        overlay = clone.folder / "kustomize" / "overlays" / "minikube" / "kustomization.yaml"
        text = overlay.read_text().replace("\nimages:\n", "\n  - ../../components/image-pull-secret\nimages:\n")
        for name in ("users-ms", "auth-ms", "notification-ms"):
            ours = f"{{name: tessera/{name}, newTag: "
            assert ours in text
            text = text.replace(ours, f"{{name: tessera/{name}, newName: {registry}/{name}, newTag: {VERSION} }} # ")
        overlay.write_text(text)
        yield clone


@pytest.fixture(scope="module")
def digests(clone, registry):
    """The digest of each service's image, by its name, as `make push` wrote them."""
    host = registry.partition("/")[0]
    user, password = os.environ["CLUSTER_TEST_REGISTRY_USER"], os.environ["CLUSTER_TEST_REGISTRY_PASSWORD"]
    clone.typed(f"docker --config registry login --username {user} --password-stdin {host}", given=password)
    less = "" if "BUILDX_BUILDER" in clone.environment else "PLATFORMS= ATTESTATIONS="
    push = f"DOCKER_CONFIG=registry make push REGISTRY={registry} VERSION={VERSION} {less}"
    clone.typed(push, seconds=BUILD_SECONDS)
    pushed = json.loads((clone.folder / "sbom" / "images.json").read_text())
    names = ("users", "auth", "notification")
    return {f"{registry}/{name}-ms": pushed[name]["containerimage.digest"] for name in names}


def containers_of(pods):
    """What became of the containers of Tessera's images, those that prepare included."""
    found = [
        status
        for pod in pods
        for kind in ("initContainerStatuses", "containerStatuses")
        for status in pod["status"].get(kind, [])
    ]
    return [status for status in found if status["image"].endswith(f":{VERSION}")]


def documented():
    """The two commands of the component's README that make the namespace and the Secret."""
    namespace, login = [line for line in README.read_text().splitlines() if line.startswith("    kubectl")]
    return namespace, login


@pytest.mark.usefixtures("digests")
def test_the_documented_command_shows_platforms_sbom_and_provenance(clone, registry):
    if "BUILDX_BUILDER" not in clone.environment:
        pytest.skip("BUILDX_BUILDER names no builder for several platforms and attestations")
    inspect = f"DOCKER_CONFIG=registry docker buildx imagetools inspect {registry}/users-ms:{VERSION}"

    listed = clone.typed(inspect).stdout
    sbom = json.loads(clone.typed(f"{inspect} --format '{{{{ json .SBOM }}}}'").stdout)
    provenance = json.loads(clone.typed(f"{inspect} --format '{{{{ json .Provenance }}}}'").stdout)

    platforms = {"linux/amd64", "linux/arm64"}
    assert all(platform in listed for platform in platforms)
    assert set(sbom) == set(provenance) == platforms
    assert all("SPDX" in sbom[platform] and "SLSA" in provenance[platform] for platform in platforms)


def test_without_the_secret_the_nodes_pull_nothing(clone, digests):
    namespace, _ = documented()
    clone.typed(DELETE)
    clone.typed(namespace)
    clone.typed(APPLY)

    def is_backing_off():
        """The Job that makes secrets is first; all other pods wait for these."""
        made = containers_of(kubernetes.objects("pods", f"--selector={kubernetes.MAKES_SECRETS}"))
        reasons = [each["state"].get("waiting", {}).get("reason") for each in made]
        return reasons == ["ImagePullBackOff"]

    eventually(is_backing_off, seconds=300)

    events = kubectl("get", "events", "--field-selector=reason=Failed", "--output=jsonpath={.items[*].message}").stdout
    assert "401 Unauthorized" in events or "no basic auth credentials" in events, events
    assert not [each for each in containers_of(kubernetes.objects("pods")) if each["imageID"]]


def test_with_the_secret_all_pods_run_from_the_pushed_digests(clone, digests, stack):
    _, login = documented()
    clone.typed(login)

    kubernetes.wait_until_ready()

    running = containers_of(kubernetes.objects("pods", "--selector=app.kubernetes.io/name!=secrets"))
    assert {each["imageID"] for each in running} == {f"{name}@{digest}" for name, digest in digests.items()}
    user = stack.verified_user()
    assert stack.log_in(user["email"]).status_code == 200
    print(f"\n    {len(running)} containers run from {sorted({each['imageID'] for each in running})}")
