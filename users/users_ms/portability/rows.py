"""The rows of a body or file: one user a line, as NDJSON (https://github.com/ndjson/ndjson-spec) or CSV (RFC 4180)."""

import codecs
import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from rest_framework.exceptions import ValidationError

from chassis.http import strict_json
from users_ms.portability.models import MAXIMUM_ID_LENGTH
from users_ms.portability.serializers import ImportedUserInput

MAXIMUM_LINE_BYTES = 64 * 1024
NDJSON, CSV = "application/x-ndjson", "text/csv"
_BOOLEANS = frozenset({"email_verified", "phone_verified", "is_active"})
_OBJECTS = frozenset({"attributes", "metadata"})
_LISTS = frozenset({"scopes"})


class Source(Protocol):
    def readline(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why the user on a line, which begins with 1, was not imported. The detail contains no value of the line."""

    line: int
    external_id: str  # empty when the line has none
    field: str
    code: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """The members on a line, not yet validated."""

    line: int
    members: dict[str, Any]

    @property
    def external_id(self) -> str:
        """The id, if it is a valid one; empty otherwise."""
        given = self.members.get("external_id")
        is_valid = isinstance(given, str) and given.isprintable() and len(given) <= MAXIMUM_ID_LENGTH
        return str(given) if is_valid else ""

    def refusal(self, field: str, code: str, detail: str) -> Refusal:
        """Why this row is not imported."""
        return Refusal(line=self.line, external_id=self.external_id, field=field, code=code, detail=detail)


Rows = Iterator[Row | Refusal]


def read(source: Source, *, media_type: str, size: int | None = None) -> Rows:
    """The rows in `source`, one line in memory at a time, and a Refusal for each line that is none.

    A last line without its end is read only when `source` had `size` bytes, because it may be cut off. Raises
    ValidationError for a wrong header of CSV.
    """
    lines = _lines(source, size=size)
    return _csv_rows(lines) if media_type == CSV else _rows(lines, _object)


def _lines(source: Source, *, size: int | None) -> Iterator[tuple[int, bytes | Refusal]]:
    number = seen = 0
    while line := source.readline(MAXIMUM_LINE_BYTES + 1):
        number, seen = number + 1, seen + len(line)
        if line.endswith(b"\n"):
            yield number, line
        elif len(line) > MAXIMUM_LINE_BYTES:
            while line and not line.endswith(b"\n"):
                line = source.readline(MAXIMUM_LINE_BYTES)
                seen += len(line)
            yield number, _refusal(number, "too_long", f"The line has more than {MAXIMUM_LINE_BYTES} bytes.")
        elif seen == size:
            yield number, line
        else:
            yield number, _refusal(number, "cut_off", "The last line does not end with a newline: it may be cut off.")


def _refusal(line: int, code: str, detail: str) -> Refusal:
    return Refusal(line=line, external_id="", field="", code=code, detail=detail)


def _rows(lines: Iterator[tuple[int, bytes | Refusal]], parse: Callable[[bytes], dict[str, Any]]) -> Rows:
    for number, line in lines:
        if isinstance(line, Refusal):
            yield line
        elif line.strip():
            try:
                yield Row(line=number, members=parse(line))
            except ValueError as error:
                yield _refusal(number, "invalid", str(error))


def _object(line: bytes) -> dict[str, Any]:
    try:
        members = strict_json.loads(line)
    except ValueError as error:
        raise ValueError("It is not valid JSON.") from error  # the reason may quote the line
    if not isinstance(members, dict):
        raise ValueError("It must be a JSON object.")
    return members


def _csv_rows(lines: Iterator[tuple[int, bytes | Refusal]]) -> Rows:
    _, first = next(lines, (1, b""))
    columns = [] if isinstance(first, Refusal) else _cells(first.removeprefix(codecs.BOM_UTF8))
    unknown = [name[:64] for name in columns if name not in ImportedUserInput.names()]
    if not columns or unknown or len(set(columns)) < len(columns):
        names = ", ".join(sorted(ImportedUserInput.names()))
        raise ValidationError({"columns": [f"The first line must name columns, each once, from: {names}."]})
    return _rows(lines, lambda line: _members(columns, _cells(line)))


def _cells(line: bytes) -> list[str]:
    """The cells of one line; a line break within quotes would make a row of two lines, which no column needs."""
    try:
        return next(csv.reader([line.decode().rstrip("\r\n")], strict=True), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError("It is not one line of CSV in UTF-8.") from error


def _members(columns: list[str], cells: list[str]) -> dict[str, Any]:
    if len(cells) != len(columns):
        raise ValueError(f"It has {len(cells)} cells instead of {len(columns)}.")
    return {name: _value(name, cell) for name, cell in zip(columns, cells, strict=True) if cell}


def _value(name: str, cell: str) -> Any:
    if name in _BOOLEANS:
        return {"true": True, "false": False}.get(cell.lower(), cell)
    if name in _LISTS:
        return cell.split()
    if name in _OBJECTS:
        try:
            return strict_json.loads(cell.encode())
        except ValueError as error:
            raise ValueError(f"{name} is not valid JSON.") from error
    return cell
