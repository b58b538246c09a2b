"""`make audit`, also in `make lint`: finds known vulnerabilities of the locked packages of requirements/ and examples/.

PyPI lists them for each version (https://docs.pypi.org/api/json/#known-vulnerabilities), the source of
`pip-audit -s pypi` too. Mirrors without a document for each version have one for the newest version of a project.
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
# Known vulnerabilities without a fixed version that cannot be exploited here, by package: one id, and the reason.
ACCEPTED = {
    "ecdsa": {"CVE-2024-23342": "timing attack on signing; checkov in kubernetes.txt depends on it, and nothing signs"},
}


def run(*, in_lint: bool = False, index: str = INDEX) -> int:
    """Prints known vulnerabilities. Returns 1 if there are any, 2 if the index does not answer (`in_lint`: 0)."""
    packages = locked()
    with ThreadPoolExecutor(16) as threads:
        try:
            found = dict(
                zip(packages, threads.map(lambda package: vulnerabilities(package, index), packages), strict=True)
            )
        except requests.RequestException as error:
            threads.shutdown(cancel_futures=True)
            skipped = "Known vulnerabilities of packages: SKIPPED" if in_lint else "Nothing was checked"
            print(f"{skipped}, because {index} does not answer ({type(error).__name__}).")
            return 0 if in_lint else 2
    unknown = [package for package, each in found.items() if each is None]
    weak = {package: left for package, each in found.items() if (left := _not_accepted(package, each or []))}
    print(f"Known vulnerabilities of packages: {len(weak)} of {len(packages) - len(unknown)} are affected.")
    if unknown:
        print(f"The index does not have {len(unknown)} others: {', '.join('=='.join(each) for each in unknown)}")
    for (name, version), each in weak.items():
        for vulnerability in each:
            print(f"  {name}=={version} of {', '.join(_files_of(name, version))}: {_described(vulnerability)}")
    for name, reasons in ACCEPTED.items():
        print(f"Accepted for {name}: {', '.join(f'{known} ({why})' for known, why in reasons.items())}")
    return 1 if weak else 0


def locked() -> list[Package]:
    """Name and version of every package that is locked, for services, tools and examples alike."""
    return sorted({found for file in files() for found in _LOCKED.findall(file.read_text())})


def files() -> list[Path]:
    """The lock files, one for each environment, image or example."""
    return sorted([*(ROOT / "requirements").glob("*.txt"), *(ROOT / "examples").glob("*/requirements.txt")])


def _files_of(name: str, version: str) -> list[str]:
    return [str(file.relative_to(ROOT)) for file in files() if (name, version) in _LOCKED.findall(file.read_text())]


def _not_accepted(package: Package, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    accepted = ACCEPTED.get(package[0], {})
    return [each for each in found if not {each["id"], *each.get("aliases", [])} & set(accepted)]


def vulnerabilities(package: Package, index: str) -> list[dict[str, Any]] | None:
    """Vulnerabilities that are not withdrawn; None if the index does not have the version. Raises RequestException."""
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


def _described(vulnerability: dict[str, Any]) -> str:
    names = ", ".join([vulnerability["id"], *vulnerability.get("aliases", [])])
    fixed = ", ".join(vulnerability.get("fixed_in", [])) or "no version"
    return f"{names}, fixed in {fixed}. {vulnerability.get('summary') or vulnerability.get('link') or ''}".strip()
