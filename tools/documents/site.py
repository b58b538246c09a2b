"""`make docs`: builds the documentation with MkDocs. Its hooks add the documents outside docs/ to the site."""

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

# Mermaid draws the diagrams. The site includes it; MkDocs Material would load it from a CDN in each reader's browser.
MERMAID = "11.17.2"
INTEGRITY = (  # the registry's hash of the package
    # pragma: allowlist nextline secret
    "sha512-V6K3C8EBdEsPFZXSKMJe6ppQOENxuHARr9GvHX4hh47lAbhMRD9qf4oEK7LoaRQxULMa80/qt5gHO73aCleBBg=="
)
SCRIPT = ROOT / ".local" / "site" / f"mermaid-{MERMAID}.min.js"
_LINK = re.compile(r"(?<=\]\()([^)#\s:]+)(?=(#[^)\s]*)?\))")
# Files in the root of the repository, and their paths on the site.
_MOVED = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "LICENSE": "LICENSE",
}


def main() -> None:
    """Builds site/. Exits with MkDocs' status; warnings, such as broken links, are errors."""
    if not SCRIPT.exists():
        _fetch_mermaid()
    os.environ["NO_MKDOCS_2_WARNING"] = "1"  # no advertisement at each build; see requirements/docs.in
    sys.exit(
        subprocess.run([sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--clean"], cwd=ROOT).returncode
    )


def _fetch_mermaid() -> None:
    if not shutil.which("npm"):
        sys.exit("make docs needs npm once to download Mermaid, which draws the diagrams. Debian's package is npm.")
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", f"mermaid@{MERMAID}", f"--pack-destination={folder}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        [package] = Path(folder).glob("*.tgz")
        found = "sha512-" + base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
        if found != INTEGRITY:
            sys.exit(f"mermaid {MERMAID} from npm does not have the hash in tools/documents/site.py: {found}")
        shutil.unpack_archive(package, folder, filter="data")
        SCRIPT.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(folder) / "package" / "dist" / "mermaid.min.js", SCRIPT)


def on_files(files: Any, *, config: Any) -> Any:
    """A hook of MkDocs: adds the documents in the repository's root and the READMEs of kustomize/ and examples/."""
    readmes = [*(ROOT / "kustomize").rglob("README.md"), *(ROOT / "examples").glob("*/README.md")]
    for source in [*(ROOT / name for name in _MOVED), *readmes]:
        files.append(File.generated(config, _place(source), abs_src_path=str(source)))
    files.append(File.generated(config, "javascript/mermaid.min.js", abs_src_path=str(SCRIPT)))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """A hook of MkDocs: replaces links with the targets' paths on the site."""
    source, here = Path(page.file.abs_src_path), Path(page.file.src_uri).parent

    def moved(found: re.Match[str]) -> str:
        target = (source.parent / found[1]).resolve()
        if target.is_dir():
            target /= "README.md"
        up = "../" * len(here.parts)
        return up + _place(target) if target.exists() else found[1]

    return _LINK.sub(moved, markdown)


def _place(source: Path) -> str:
    """The path on the site of a file in the repository."""
    name = source.relative_to(ROOT).as_posix()
    return _MOVED.get(name, name.removeprefix("docs/"))


if __name__ == "__main__":
    main()
