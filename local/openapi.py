"""The OpenAPI documents under docs/openapi, generated from the code."""

import subprocess
import sys
import tempfile
from pathlib import Path

from local.bootstrap import ROOT
from local.ports import DEFAULTS
from local.programs import Layout, service_environment
from local.secret_values import NAMES


def run(services: list[str], *, check: bool) -> None:
    """Writes docs/openapi/<service>.yaml, or with `check` exits when one of them is not what the code says."""
    stale = []
    for service in services:
        committed = ROOT / "docs" / "openapi" / f"{service}-ms.yaml"
        text = _document(service)
        if not check:
            committed.write_text(text)
            print(f"wrote {committed.relative_to(ROOT)}")
        elif not committed.exists() or committed.read_text() != text:
            stale.append(str(committed.relative_to(ROOT)))
    if stale:
        sys.exit(f"Not what the code says any more: {', '.join(stale)}. Write them anew: make openapi")


def _document(service: str) -> str:
    """The document, made without a database or any other server."""
    layout = Layout(ROOT, DEFAULTS, dict.fromkeys(NAMES, "only-for-generating-the-openapi-document"))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "openapi.yaml"
        done = subprocess.run(
            [sys.executable, "manage.py", "spectacular", "--file", str(file), "--validate", "--fail-on-warn"],
            cwd=ROOT / service,
            env={"PATH": "/usr/bin:/bin", **service_environment(layout, service)},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            sys.exit(f"{done.stdout}{done.stderr}\nThe OpenAPI document of {service}-ms cannot be made.")
        return file.read_text()
