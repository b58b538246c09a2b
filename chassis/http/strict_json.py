"""Strict RFC 8259 JSON in UTF-8, for request and message bodies."""

import json
import math
from typing import Any

MAXIMUM_DEPTH = 64  # of nested objects and lists; far below Python's recursion limit


def loads(raw: bytes) -> Any:
    """The decoded value of `raw`. Raises ValueError with a human-readable reason.

    Rejects duplicate names, NaN, Infinity, and anything that PostgreSQL cannot store.
    """
    try:
        text = raw.decode("utf-8")
        value = json.loads(
            text, object_pairs_hook=_unique_names, parse_constant=_no_constant, parse_float=_finite_number
        )
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    _check(value, depth=0)
    return value


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) < len(pairs):
        raise ValueError("an object has the same name twice")
    return names


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite_number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _check(value: Any, *, depth: int) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("a string contains the character NUL")
        value.encode("utf-8")  # raises UnicodeEncodeError, a ValueError, for a lone surrogate
    elif isinstance(value, dict | list):
        if depth >= MAXIMUM_DEPTH:
            raise ValueError("it is nested too deeply")
        for member in value:  # of an object: the names
            _check(member, depth=depth + 1)
        for member in value.values() if isinstance(value, dict) else ():
            _check(member, depth=depth + 1)
