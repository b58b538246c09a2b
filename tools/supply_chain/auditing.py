"""`make audit`, also in `make lint`: has a package that requirements/ locks, for an image or a tool, a known weakness?

PyPI says so for a version (https://docs.pypi.org/api/json/#known-vulnerabilities), as `pip-audit -s pypi` asks it. A
mirror that has no document for each version has one for the project, which speaks of the newest version alone.
"""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests

from local.paths import ROOT

INDEX = "https://pypi.org/pypi"
TIMEOUT_SECONDS = 10
_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
Package = tuple[str, str]  # name and version
# Known weaknesses that no version mends and nobody can use here, by package: one of their names, and why.
ACCEPTED = {
    "ecdsa": {"CVE-2024-23342": "signing can be timed; of kubernetes.txt, where checkov brings it and nothing signs"},
}


def run(*, in_lint: bool = False, index: str = INDEX) -> int:
    """Prints each known weakness; the exit status is 1 with any, 2 when the index does not answer (0 `in_lint`)."""
    packages = locked()
    with ThreadPoolExecutor(16) as threads:
        try:
            found = dict(zip(packages, threads.map(lambda package: weaknesses(package, index), packages), strict=True))
        except requests.RequestException as error:
            threads.shutdown(cancel_futures=True)
            said = "Known weaknesses of packages: SKIPPED" if in_lint else "Nothing was asked"
            print(f"{said}, because {index} does not answer ({type(error).__name__}).")
            return 0 if in_lint else 2
    unknown = [package for package, each in found.items() if each is None]
    weak = {package: left for package, each in found.items() if (left := _not_accepted(package, each or []))}
    print(f"Known weaknesses of packages: {len(weak)} of {len(packages) - len(unknown)} have one.")
    if unknown:
        print(f"Of {len(unknown)} others the index says nothing: {', '.join('=='.join(each) for each in unknown)}")
    for (name, version), each in weak.items():
        for weakness in each:
            print(f"  {name}=={version} of {', '.join(_files_of(name, version))}: {_described(weakness)}")
    for name, reasons in ACCEPTED.items():
        print(f"Accepted of {name}: {', '.join(f'{known} ({why})' for known, why in reasons.items())}")
    return 1 if weak else 0


def locked() -> list[Package]:
    """Name and version of every package that requirements/ locks, for services and tools alike."""
    return sorted({found for file in files() for found in _LOCKED.findall(file.read_text())})


def files() -> list[Path]:
    """Each with all that one environment or image installs."""
    return sorted((ROOT / "requirements").glob("*.txt"))


def _files_of(name: str, version: str) -> list[str]:
    return [file.name for file in files() if (name, version) in _LOCKED.findall(file.read_text())]


def _not_accepted(package: Package, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    accepted = ACCEPTED.get(package[0], {})
    return [each for each in found if not {each["id"], *each.get("aliases", [])} & set(accepted)]


def weaknesses(package: Package, index: str) -> list[dict[str, Any]] | None:
    """Those that are not withdrawn; None when the index says nothing of that version. Raises RequestException."""
    for document in _documents(package, index):
        if document["info"]["version"] == package[1]:
            return [each for each in document["vulnerabilities"] if not each.get("withdrawn")]
    return None


def _documents(package: Package, index: str) -> Iterator[dict[str, Any]]:
    name, version = package
    for url in (f"{index}/{name}/{version}/json", f"{index}/{name}/json"):
        answer = requests.get(url, timeout=TIMEOUT_SECONDS)
        if answer.status_code != requests.codes.not_found:
            answer.raise_for_status()
            yield answer.json()


def _described(weakness: dict[str, Any]) -> str:
    names = ", ".join([weakness["id"], *weakness.get("aliases", [])])
    fixed = ", ".join(weakness.get("fixed_in", [])) or "no version"
    return f"{names}, mended in {fixed}. {weakness.get('summary') or weakness.get('link') or ''}".strip()
