"""Key sets that others publish: clients of the provider, and providers that sign users in here."""

from functools import lru_cache
from typing import Any

from auth_ms.keys.services import documents

CACHED_SETS = 1000  # in each process


def fetched(uri: str, *, kid: str | None) -> list[Any]:
    """The JWKs at `uri`, not checked yet; none when they were never reached. An unknown `kid` leads to another look."""
    try:
        return _fetched(uri).get(
            is_enough=lambda keys: kid in [key.get("kid") for key in keys if isinstance(key, dict)]
        )
    except (documents.Unavailable, documents.Invalid):
        return []


def _read(uri: str) -> list[Any]:
    members = documents.request_json("GET", uri)
    keys = members.get("keys") if isinstance(members, dict) else None
    if not isinstance(keys, list):
        raise documents.Invalid(f"{uri} is no key set")
    return keys


@lru_cache(maxsize=CACHED_SETS)
def _fetched(uri: str) -> documents.Remembered[list[Any]]:
    return documents.Remembered(lambda: _read(uri), fails=(documents.Unavailable, documents.Invalid))
