"""The version of the release. `make generate` copies it from VERSION to files that cannot read it."""

import re

from local.paths import ROOT

FILE = ROOT / "VERSION"
PATTERNS = ("compose.yaml", "docs/*.md", "docs/asyncapi.yaml", "kustomize/**/kustomization.yaml")
# The text before a version: Compose's default, an image's name, a tag of Kustomize, the head of AsyncAPI.
_PLACE = re.compile(r"(\$\{TESSERA_VERSION:-|\btessera/[\w-]+(?::|, newTag: )|^  version: )\d+\.\d+\.\d+[\w.-]*", re.M)


def current() -> str:
    """The version of this tree."""
    return FILE.read_text().strip()


def copies() -> dict[str, str]:
    """The files that contain the version, with their texts for the current one."""
    paths = {path for pattern in PATTERNS for path in ROOT.glob(pattern)}
    texts = {str(path.relative_to(ROOT)): path.read_text() for path in sorted(paths)}
    return {name: _PLACE.sub(rf"\g<1>{current()}", text) for name, text in texts.items() if _PLACE.search(text)}
