"""Build kustomizations with kubectl if it is recent enough, otherwise with kustomize."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from local.paths import ROOT

BINARIES = ROOT / ".local" / "bin"
VERSION = "v5.7.1"  # the version in kubectl 1.34
OLDEST_KUBECTL = (1, 27)  # nested components, and the replacements used here


def command() -> list[str]:
    """Return `kubectl kustomize` or `kustomize build`; if neither exists, install kustomize into .local/bin with Go.

    Exits with instructions when none of the three programs is available.
    """
    if (minor := _kubectl_version()) and minor >= OLDEST_KUBECTL:
        return ["kubectl", "kustomize"]
    found = shutil.which("kustomize") or shutil.which("kustomize", path=BINARIES)
    if found and _kustomize_major(found) >= 5:
        return [found, "build"]
    if not shutil.which("go"):
        sys.exit(
            "To check kustomize/, put one of these on PATH: kubectl 1.27 (https://kubernetes.io/docs/tasks/tools/), "
            "kustomize 5 (https://kubectl.docs.kubernetes.io/installation/), or Go, which then installs kustomize into "
            ".local/bin."
        )
    print(f"Installing kustomize {VERSION} into .local/bin with Go (a minute or two) ...", flush=True)
    BINARIES.mkdir(parents=True, exist_ok=True)
    install = ["go", "install", f"sigs.k8s.io/kustomize/kustomize/v5@{VERSION}"]
    done = subprocess.run(install, env=os.environ | {"GOBIN": str(BINARIES), "CGO_ENABLED": "0"})
    if done.returncode:
        sys.exit(f"Command failed: {' '.join(install)}")
    return [str(BINARIES / "kustomize"), "build"]


def build(folder: Path) -> str:
    """Return the YAML of a kustomization. Raises CalledProcessError with the reason in its stderr."""
    return subprocess.run([*command(), str(folder)], check=True, capture_output=True, text=True).stdout


def _kubectl_version() -> tuple[int, int] | None:
    if not shutil.which("kubectl"):
        return None
    done = subprocess.run(["kubectl", "version", "--client", "--output=json"], capture_output=True, text=True)
    if done.returncode:
        return None
    version = json.loads(done.stdout)["clientVersion"]
    return int(version["major"]), int(re.sub(r"\D.*", "", version["minor"]))


def _kustomize_major(program: str) -> int:
    said = subprocess.run([program, "version"], capture_output=True, text=True).stdout
    found = re.search(r"v(\d+)\.", said)
    return int(found[1]) if found else 5  # a build by Go reports (devel)
