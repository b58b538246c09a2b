"""`make release VERSION=0.2.0`: changelog, version and its copies, commit and tag, and the files of the release."""

import datetime
import hashlib
import re
import subprocess
import sys

from installation.service_catalog import SERVICES
from local.paths import ROOT
from tools import version as versions
from tools.deployment import kubernetes, kustomize
from tools.documents import generated

FILES = ROOT / "release"  # git ignores it
CHANGELOG = ROOT / "CHANGELOG.md"
UNRELEASED = "## [Unreleased]\n"
RENDERED = ROOT / ".local" / "kubernetes" / "release"


def prepare(*, version: str, registry: str) -> None:
    """Commits and tags a version and writes its files. Exits, with nothing changed, when it cannot be released."""
    if problem := reason_against(version):
        sys.exit(f"Nothing was released: {problem}")
    CHANGELOG.write_text(dated(CHANGELOG.read_text(), version, datetime.datetime.now(datetime.UTC).date()))
    generated.change_version(version=version)
    write_files(registry=registry)
    git("commit", "--quiet", "--all", f"--message=Release {version}")
    git("tag", "--annotate", f"v{version}", f"--message=Tessera {version}")
    print(f"\nCommitted and tagged v{version}; its files are in {FILES.relative_to(ROOT)}/. Nothing was sent anywhere.")
    print("Next, so that the workflow tests it, pushes the images and publishes the files:")
    print(f"  git push --atomic origin HEAD v{version}")
    print(f"Or push the images from this machine: make push REGISTRY={registry or '...'} VERSION={version}")


def reason_against(version: str) -> str:
    """Why `version` cannot be released from this tree; empty when it can."""
    if not re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?", version):
        return f"a version is three numbers, such as 0.2.0 or 0.2.0-rc.1; got {version!r}."
    if order(version) <= order(versions.current()):
        return f"{version} is not above {versions.current()}, which VERSION contains."
    if git("tag", "--list", f"v{version}"):
        return f"the tag v{version} exists."
    if git("status", "--porcelain"):
        return "there are changes that are not committed (git status)."
    if not notes(CHANGELOG.read_text(), "Unreleased"):
        return "CHANGELOG.md says nothing under Unreleased."
    return ""


def order(version: str) -> tuple[tuple[int, ...], bool, str]:
    """Sorts versions; 0.2.0-rc.1 comes before 0.2.0."""
    numbers, _, candidate = version.partition("-")
    return tuple(map(int, numbers.split("."))), not candidate, candidate


def dated(changelog: str, version: str, day: datetime.date) -> str:
    """The changelog with what was unreleased under `version`, and nothing unreleased."""
    return changelog.replace(UNRELEASED, f"{UNRELEASED}\n## [{version}] - {day}\n", 1)


def notes(changelog: str, version: str) -> str:
    """What the changelog says of a version, which includes how to upgrade to it."""
    found = re.search(rf"^## \[{re.escape(version)}\].*?\n(.*?)(?=^## \[|\Z)", changelog, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def write_files(*, registry: str) -> None:
    """Writes into release/: the Kubernetes bundle with images of `registry`, the API descriptions, notes, checksums."""
    version = versions.current()
    FILES.mkdir(exist_ok=True)
    for old in FILES.iterdir():
        old.unlink()
    files = {f"tessera-{version}-minikube.yaml": bundle(registry)}
    files |= {
        f"tessera-{version}-{name}-openapi.yaml": (ROOT / "docs" / "openapi" / f"{name}.yaml").read_text()
        for name in SERVICES.values()
    }
    files[f"tessera-{version}-asyncapi.yaml"] = (ROOT / "docs" / "asyncapi.yaml").read_text()
    files["notes.md"] = notes(CHANGELOG.read_text(), version) + "\n"
    for name, text in files.items():
        (FILES / name).write_text(text)
    sums = [f"{hashlib.sha256((FILES / name).read_bytes()).hexdigest()}  {name}\n" for name in sorted(files)]
    (FILES / "SHA256SUMS").write_text("".join(sums))
    for file in sorted(FILES.iterdir()):
        print(f"wrote {file.relative_to(ROOT)}")


def bundle(registry: str) -> str:
    """The rendered minikube overlay, for `kubectl apply -f`; its images are those of `registry`, or local ones."""
    RENDERED.mkdir(parents=True, exist_ok=True)
    images = "".join(
        f"  - {{name: tessera/{name}, newName: {registry or 'tessera'}/{name}}}\n" for name in SERVICES.values()
    )
    (RENDERED / "kustomization.yaml").write_text(
        f"""apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../../../kustomize/overlays/minikube]
images:
{images}"""
    )
    head = f"# Tessera {versions.current()}, for a local cluster with RabbitMQ's cluster operator:\n"
    head += f"# kubectl apply -f {kubernetes.OPERATOR}\n"
    return head + kustomize.build(RENDERED)


def git(*arguments: str) -> str:
    """What git prints. Raises CalledProcessError."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
