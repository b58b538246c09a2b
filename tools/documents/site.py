"""`make docs`: the documentation as a site, by MkDocs. As its hook, this brings what lies outside docs/ onto it."""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

from local.paths import ROOT

# What draws the diagrams, from npm: MkDocs Material would have each reader's browser fetch it from elsewhere.
MERMAID = "11.17.2"
INTEGRITY = (  # of the package in the registry
    # pragma: allowlist nextline secret
    "sha512-V6K3C8EBdEsPFZXSKMJe6ppQOENxuHARr9GvHX4hh47lAbhMRD9qf4oEK7LoaRQxULMa80/qt5gHO73aCleBBg=="
)
SCRIPT = ROOT / ".local" / "site" / f"mermaid-{MERMAID}.min.js"
_LINK = re.compile(r"(?<=\]\()([^)#\s:]+)(?=(#[^)\s]*)?\))")
# Where things from the root of the tree are on the site.
_MOVED = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "LICENSE": "LICENSE",
}


def main() -> None:
    """Builds site/. Exits with what is wrong, a link that leads nowhere among it."""
    if not SCRIPT.exists():
        _fetch_mermaid()
    os.environ["NO_MKDOCS_2_WARNING"] = "1"  # it would speak of the successor at each build; see requirements/docs.in
    sys.exit(
        subprocess.run([sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--clean"], cwd=ROOT).returncode
    )


def _fetch_mermaid() -> None:
    if not shutil.which("npm"):
        sys.exit("make docs needs npm once, for Mermaid, which draws the diagrams. Debian's package is npm.")
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", f"mermaid@{MERMAID}", f"--pack-destination={folder}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        [package] = Path(folder).glob("*.tgz")
        found = "sha512-" + base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
        if found != INTEGRITY:
            sys.exit(f"mermaid {MERMAID} from npm is not what tools/documents/site.py expects: {found}")
        shutil.unpack_archive(package, folder, filter="data")
        SCRIPT.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(folder) / "package" / "dist" / "mermaid.min.js", SCRIPT)


def on_files(files: Any, *, config: Any) -> Any:
    """A hook of MkDocs: the README, what stands beside it, and the READMEs of kustomize/ are pages too."""
    for source in [*(ROOT / name for name in _MOVED), *(ROOT / "kustomize").rglob("README.md")]:
        files.append(File.generated(config, _place(source), abs_src_path=str(source)))
    files.append(File.generated(config, "javascript/mermaid.min.js", abs_src_path=str(SCRIPT)))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """A hook of MkDocs: links lead to where things are on the site."""
    source, here = Path(page.file.abs_src_path), Path(page.file.src_uri).parent

    def moved(found: re.Match[str]) -> str:
        target = (source.parent / found[1]).resolve()
        if target.is_dir():
            target /= "README.md"
        up = "../" * len(here.parts)
        return up + _place(target) if target.exists() else found[1]

    return _LINK.sub(moved, markdown)


def _place(source: Path) -> str:
    """Where a file of the tree is on the site."""
    name = source.relative_to(ROOT).as_posix()
    return _MOVED.get(name, name.removeprefix("docs/"))


if __name__ == "__main__":
    main()
