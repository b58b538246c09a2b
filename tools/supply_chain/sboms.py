"""`make sbom`: the Python packages of each service's image as CycloneDX, from the lock files in requirements/.

The system packages are in the attestation that BuildKit adds to a pushed image (docker-bake.hcl).
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from installation.service_catalog import SERVICES
from local.paths import ROOT

SPECIFICATION = "1.6"


def write_all(*, version: str) -> None:
    """Writes the SBOMs of a version to sbom/."""
    write(version=version, folder=ROOT / "sbom")


def write(*, version: str, folder: Path) -> list[Path]:
    """Writes one document per service, reproducibly; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for service, name in SERVICES.items():
        path = folder / f"{name}-{version}.cdx.json"
        path.write_text(json.dumps(_document(service, name, version), indent=2) + "\n")
        print(f"wrote {path}")
        written.append(path)
    return written


def _document(service: str, name: str, version: str) -> dict[str, Any]:
    requirements = ROOT / "requirements" / f"{service}.txt"
    command = [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", str(requirements)]
    command += ["--spec-version", SPECIFICATION, "--output-format", "JSON", "--output-reproducible"]
    done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE)
    document: dict[str, Any] = json.loads(done.stdout)
    document["metadata"]["component"] = {
        "type": "application",
        "bom-ref": "root-component",
        "name": f"tessera/{name}",
        "version": version,
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }
    return document
