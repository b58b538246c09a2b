"""Parses the project's Markdown and checks that links, commands and files in it exist (`make lint`)."""

import fnmatch
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from local.paths import ROOT

PATTERNS = ("*.md", "docs/**/*.md", "kustomize/**/*.md", "examples/*/README.md")
_COMMENT = re.compile(r"<!--\s*(.*?)\s*-->", re.DOTALL)
_MAKE = re.compile(r"\bmake ([a-z][a-z-]*[a-z*])")
_FILE_NAME = re.compile(r"[\w*-][\w.*-]*\.(py|yaml|yml|toml|json|js|html|css|conf|hcl|in|sh|md|png)")
# Documents served by a running service, and generated files; none is in the repository.
_NOT_FILES = {"openapi.json", "openapi.yaml", "users-ms.yaml"}


@dataclass
class Block:
    """A fenced block: its language, its text, and the comment before it."""

    language: str
    text: str
    line: int
    comment: str = ""


@dataclass
class Document:
    """A Markdown file: its anchors, links, code spans and blocks, with line numbers."""

    path: Path
    anchors: set[str] = field(default_factory=set)
    links: list[tuple[int, str]] = field(default_factory=list)
    codes: list[tuple[int, str]] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> "Document":
        """Parses a file as GitHub does: CommonMark with tables."""
        document, slugs, comment = cls(path), Counter[str](), ""
        tokens = MarkdownIt("commonmark").enable("table").parse(path.read_text())
        for number, token in enumerate(tokens):
            line = token.map[0] + 1 if token.map else 0
            if token.type == "fence":
                document.blocks.append(Block(token.info.partition(" ")[0], token.content, line, comment))
            elif token.type == "code_block":
                document.blocks.append(Block("indented", token.content, line))
            elif token.type == "inline":
                document._read_inline(token, line)
            if token.type == "heading_open":
                slug = _slug(tokens[number + 1].content)
                document.anchors.add(f"{slug}-{slugs[slug]}" if slugs[slug] else slug)
                slugs[slug] += 1
            found = _COMMENT.search(token.content) if token.type == "html_block" else None
            comment = found[1] if found else ""
        return document

    def _read_inline(self, token: Token, line: int) -> None:
        for child in token.children or []:
            if child.type == "code_inline":
                self.codes.append((line, child.content))
            for name in ("href", "src"):
                if target := child.attrGet(name):
                    self.links.append((line, str(target)))


def _slug(heading: str) -> str:
    """The anchor that GitHub and the site give a heading."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-")


def every_document(root: Path = ROOT) -> list[Document]:
    """All documents, the README first."""
    paths = sorted({path for pattern in PATTERNS for path in root.glob(pattern)}, key=_order)
    return [Document.read(path) for path in paths]


def _order(path: Path) -> tuple[bool, str]:
    return path.name != "README.md" or path.parent != ROOT, str(path)


def check() -> None:
    """Exits with a line for each link, anchor, make command or file in a document that does not exist."""
    documents = every_document()
    known = {document.path: document.anchors for document in documents}
    wrong = [
        f"{document.path.relative_to(ROOT)}:{line}: {problem}"
        for document in documents
        for line, problem in [*_links(document, known), *_commands(document), *_files(document)]
    ]
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{len(documents)} documents: all links, make commands and files exist")


def _links(document: Document, known: dict[Path, set[str]]) -> Iterator[tuple[int, str]]:
    for line, target in document.links:
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (document.path.parent / name).resolve() if name else document.path
        if not path.exists():
            yield line, f"{target}: no such file"
        elif anchor and anchor not in known.get(path, {anchor}):
            yield line, f"{target}: no such heading"


def _commands(document: Document) -> Iterator[tuple[int, str]]:
    texts = document.codes + [(block.line, block.text) for block in document.blocks if block.language != "mermaid"]
    for line, text in texts:
        for name in _MAKE.findall(text):
            if not fnmatch.filter(make_commands(), name):
                yield line, f"make {name}: no such command"


@cache
def make_commands() -> frozenset[str]:
    """The targets of the Makefile."""
    rules = re.findall(r"^([a-z][a-z -]*):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return frozenset(name for rule in rules for name in rule.split())


def _files(document: Document) -> Iterator[tuple[int, str]]:
    for line, text in document.codes:
        name = re.sub(r"<[^>]*>|\{[^}]*\}", "*", text).rstrip("/")
        is_candidate = name.partition("/")[0] in _top_level() or _FILE_NAME.fullmatch(name.rpartition("/")[2])
        if not re.fullmatch(r"[\w.*-]+(/[\w.*-]+)*", name) or not is_candidate or name in _NOT_FILES:
            continue
        if name.startswith((".", "*")) or _is_ignored(name) or (document.path.parent / name).exists():
            continue
        if not any(fnmatch.fnmatch(path, name) or fnmatch.fnmatch(path, f"*/{name}") for path in _paths()):
            yield line, f"`{text}`: no such file"


@cache
def _paths() -> frozenset[str]:
    """Every file and folder that git tracks or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return frozenset(files) | {str(folder) for file in files for folder in Path(file).parents}


@cache
def _top_level() -> frozenset[str]:
    return frozenset(path for path in _paths() if "/" not in path and "." not in path and path != "LICENSE")


def _is_ignored(name: str) -> bool:
    """True for files that git ignores, such as `backups/`."""
    done = subprocess.run(["git", "check-ignore", name, f"{name}/any"], cwd=ROOT, capture_output=True)
    return done.returncode == 0
