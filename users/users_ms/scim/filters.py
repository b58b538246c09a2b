"""Filters and paths of SCIM (RFC 7644, §3.4.2.2 and figure 7): text in, a tree out, within limits.

A parser of our own: the libraries there are bring a parser generator or Pydantic into every web process.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from operator import ge, gt, le, lt
from typing import Any, NoReturn

MAXIMUM_LENGTH = 2000  # characters
MAXIMUM_DEPTH = 10  # of nested parentheses, brackets and `not`
MAXIMUM_COMPARISONS = 50
OPERATORS = frozenset({"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr"})
Value = str | int | float | bool | None


class InvalidFilter(ValueError):
    """The text is no filter or path, or exceeds a limit."""


@dataclass(frozen=True)
class Comparison:
    """`attribute operator value`; `pr` has no value. Attributes are in lower case, without the URN of their schema."""

    attribute: str
    operator: str
    value: Value = None


@dataclass(frozen=True)
class Not:
    of: "Filter"


@dataclass(frozen=True)
class Both:
    """`and`, or with `is_or` `or`."""

    left: "Filter"
    right: "Filter"
    is_or: bool


@dataclass(frozen=True)
class Within:
    """`attribute[filter]`: one of the attribute's values matches."""

    attribute: str
    filter: "Filter"


Filter = Comparison | Not | Both | Within


@dataclass(frozen=True)
class Path:
    """The target of a PATCH operation: `attribute`, `attribute.sub`, `attribute[filter]` or `attribute[filter].sub`."""

    attribute: str
    filter: Filter | None = None
    sub: str = ""


# RFC 7643, §2.1: names are of letters, digits, _ and -; $ref is one too. A URN in front ends in the last colon.
_TOKEN = re.compile(
    r'\s*(?:(?P<string>"(?:[^"\\\x00-\x1f]|\\.)*")|(?P<number>-?\d{1,18}(?:\.\d{1,18})?(?![\w.]))'
    r"|(?P<word>[A-Za-z$][\w$:.-]*)|(?P<mark>[()\[\]])|(?P<sub>\.[A-Za-z$][\w$-]*))",
    re.ASCII,
)
_CORE_SCHEMAS = [f"urn:ietf:params:scim:schemas:core:2.0:{name}:" for name in ("user", "group")]
_OF_EXTENSION = re.compile(r"urn:[\w:.$-]+", re.ASCII)
_NAME = re.compile(r"[a-z$][\w$-]*(?:\.[a-z$][\w$-]*)?", re.ASCII)


def parse(text: str) -> Filter:
    """The tree of a filter. Raises InvalidFilter."""
    reader = _Reader(text)
    found = reader.either(depth=0)
    reader.end()
    return found


def parse_path(text: str) -> Path:
    """The path of a PATCH operation. Raises InvalidFilter."""
    reader = _Reader(text)
    attribute, _, sub = reader.attribute().partition(".")
    if sub or not reader.take("["):
        reader.end()
        return Path(attribute, sub=sub)
    within = reader.either(depth=1)
    reader.expect("]")
    sub = reader.sub()
    reader.end()
    return Path(attribute, filter=within, sub=sub)


def attribute_name(text: str) -> str:
    """The name of an attribute in lower case, without the URN of a core schema. Raises InvalidFilter.

    An attribute of an extension keeps its URN, so that it is not taken for one of the same name.
    """
    name = text.lower()
    for schema in _CORE_SCHEMAS:
        name = name.removeprefix(schema)
    if not (_NAME.fullmatch(name) or _OF_EXTENSION.fullmatch(name)):
        raise InvalidFilter(f"{text[:60]!r} is no attribute.")
    return name


class _Reader:
    """Recursive descent over the tokens; `not` binds tightest, then `and`, then `or`."""

    def __init__(self, text: str) -> None:
        if len(text) > MAXIMUM_LENGTH:
            raise InvalidFilter(f"It has more than {MAXIMUM_LENGTH} characters.")
        self._tokens = _tokens(text)
        self._at = 0
        self._comparisons = 0

    def either(self, *, depth: int) -> Filter:
        found = self.both(depth=depth)
        while self.take("or"):
            found = Both(found, self.both(depth=depth), is_or=True)
        return found

    def both(self, *, depth: int) -> Filter:
        found = self.term(depth=depth)
        while self.take("and"):
            found = Both(found, self.term(depth=depth), is_or=False)
        return found

    def term(self, *, depth: int) -> Filter:
        if depth > MAXIMUM_DEPTH:
            raise InvalidFilter("It is nested too deeply.")
        if self.take("not"):
            self.expect("(")
            found: Filter = Not(self.either(depth=depth + 1))
            self.expect(")")
            return found
        if self.take("("):
            found = self.either(depth=depth + 1)
            self.expect(")")
            return found
        return self.comparison(depth=depth)

    def comparison(self, *, depth: int) -> Filter:
        self._comparisons += 1
        if self._comparisons > MAXIMUM_COMPARISONS:
            raise InvalidFilter(f"It has more than {MAXIMUM_COMPARISONS} comparisons.")
        attribute = self.attribute()
        if self.take("["):
            within = self.either(depth=depth + 1)
            self.expect("]")
            return Within(attribute, within)
        kind, word = self._next()
        operator = word.lower()
        if kind != "word" or operator not in OPERATORS:
            raise InvalidFilter(f"{word[:60]!r} is no operator.")
        return Comparison(attribute, operator) if operator == "pr" else Comparison(attribute, operator, self.value())

    def attribute(self) -> str:
        kind, text = self._next()
        return attribute_name(text) if kind == "word" else self._unexpected(text)

    def value(self) -> Value:
        kind, text = self._next()
        try:
            if kind in ("string", "number") or text in ("true", "false", "null"):
                value: Value = json.loads(text)
                if isinstance(value, str):
                    value.encode()
                    if "\0" in value:
                        raise InvalidFilter("A string contains the character NUL.")
                return value
        except ValueError as error:
            raise InvalidFilter("A string is not valid JSON.") from error
        if text.lower() in ("true", "false"):  # as Entra ID writes them
            return text.lower() == "true"
        return self._unexpected(text)

    def sub(self) -> str:
        if self._at == len(self._tokens) or self._tokens[self._at][0] != "sub":
            return ""
        return self._next()[1][1:].lower()

    def take(self, text: str) -> bool:
        """Read this word or mark, if it comes next."""
        if self._at < len(self._tokens):
            kind, found = self._tokens[self._at]
            if kind in ("word", "mark") and found.lower() == text:
                self._at += 1
                return True
        return False

    def expect(self, text: str) -> None:
        if not self.take(text):
            raise InvalidFilter(f"{text!r} is missing.")

    def end(self) -> None:
        if self._at < len(self._tokens):
            self._unexpected(self._tokens[self._at][1])

    def _next(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise InvalidFilter("It ends too early.")
        self._at += 1
        return self._tokens[self._at - 1]

    def _unexpected(self, text: str) -> NoReturn:
        raise InvalidFilter(f"{text[:60]!r} is not expected here.")


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at, text = [], 0, text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise InvalidFilter(f"{text[at]!r} is not expected here.")
        kind = str(match.lastgroup)
        found.append((kind, match[kind]))
        at = match.end()
    return found


def matches(wanted: Filter, element: Any) -> bool:
    """Whether a value of a multi-valued attribute, a JSON object, matches the filter in `attribute[filter]`."""
    if isinstance(wanted, Both):
        sides = (matches(side, element) for side in (wanted.left, wanted.right))
        return any(sides) if wanted.is_or else all(sides)
    if isinstance(wanted, Not):
        return not matches(wanted.of, element)
    if isinstance(wanted, Within) or not isinstance(element, dict):
        return False
    found = next((value for name, value in element.items() if name.lower() == wanted.attribute), None)
    return _compare(found, wanted.operator, wanted.value)


_ORDER: dict[str, Callable[[Any, Any], bool]] = {"gt": gt, "ge": ge, "lt": lt, "le": le}


def _compare(found: Any, operator: str, value: Value) -> bool:
    if operator == "pr":
        return found not in (None, "", [])
    if isinstance(found, str) and isinstance(value, str):
        found, value = found.lower(), value.lower()
        if operator in ("co", "sw", "ew"):
            return bool({"co": value in found, "sw": found.startswith(value), "ew": found.endswith(value)}[operator])
    if operator in ("eq", "ne"):
        return bool(found == value) == (operator == "eq")
    if type(found) is not type(value) or found is None or isinstance(found, bool) or operator not in _ORDER:
        return False
    return bool(_ORDER[operator](found, value))
