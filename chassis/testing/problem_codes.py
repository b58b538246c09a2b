"""The codes of problem documents, held against docs/errors.md, on which clients rely."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from django.conf import settings

from chassis.http.errors import Problem

_DOCUMENT = Path(__file__).parents[2] / "docs" / "errors.md"


def undocumented() -> list[str]:
    """Rows that docs/errors.md lacks, of each Problem that this service defines or takes from the chassis."""
    import_module(settings.ROOT_URLCONF)  # and with it all views
    document = _DOCUMENT.read_text()
    rows = {f"| `{kind.code}` | {kind.status} |" for kind in _all(Problem) if not kind.__name__.startswith("_")}
    return sorted(row for row in rows if row not in document)


def _all(kind: type[Problem]) -> Iterator[type[Problem]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _all(each)
