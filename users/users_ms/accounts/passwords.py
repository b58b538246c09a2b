"""Password hashes and password validators.

By default bcrypt over SHA-256, because bcrypt reads only 72 bytes; or argon2id.
"""

import re
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib.auth import hashers
from django.core.exceptions import ValidationError

from chassis.security import password_concurrency
from users_ms.accounts import breached

MINIMUM_LENGTH = 8
MINIMUM_WORD_LENGTH = 3  # of a name; shorter ones are part of too many words
# Each maps to one character, so that the remaining length can be counted.
_DISGUISES = str.maketrans("@4830!15$7", "aabeoiisst")


class Bcrypt(hashers.BCryptSHA256PasswordHasher):
    """Django's hasher with the configured cost."""

    @property
    def rounds(self) -> int:  # type: ignore[override]
        return int(settings.BCRYPT_COST)


class Argon2id(hashers.Argon2PasswordHasher):
    """Django's hasher with the configured memory and passes, in one lane.

    The defaults are those of OWASP's Password Storage Cheat Sheet: 19 MiB and two passes.
    """

    parallelism = 1

    @property
    def memory_cost(self) -> int:  # type: ignore[override]
        return int(settings.ARGON2_MEMORY_KIB)

    @property
    def time_cost(self) -> int:  # type: ignore[override]
        return int(settings.ARGON2_PASSES)


def hash_password(password: str) -> str:
    """The hash to store; bcrypt at cost 12 takes about a quarter of a second, on purpose.

    Raises ServiceUnavailable when too many passwords are being hashed.
    """
    with password_concurrency.passwords.slot(), password_concurrency.hashing_seconds.labels("hash").time():
        return hashers.make_password(password, hasher=hashers.get_hashers_by_algorithm()[settings.PASSWORD_HASHER])


class NotBreached:
    """Rejects passwords known from breaches."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raises ValidationError."""
        if breached.is_known(password):
            raise ValidationError("This password is too common.", code="password_too_common")

    def get_help_text(self) -> str:
        return "It must not be a commonly used password."


class NotMadeOfContext:
    """Rejects passwords made of words that an attacker would expect for this user.

    These are settings.PASSWORD_CONTEXT_WORDS and the parts of name, surname and address, also in spellings such as
    `T3ssera`. The password must be long enough without them.
    """

    def validate(self, password: str, user: Any = None) -> None:
        """Raises ValidationError."""
        rest = _plain(password)
        for word in sorted({_plain(word) for word in _context(user)}, key=len, reverse=True):
            rest = rest.replace(word, "")
        if len(rest) < MINIMUM_LENGTH <= len(password):
            message = "This password is too easy to guess: it is made of your name, your address or the product's name."
            raise ValidationError(message, code="password_of_context")

    def get_help_text(self) -> str:
        return "It must not be made of your name, your address or the product's name."


def _plain(text: str) -> str:
    return text.casefold().translate(_DISGUISES)


def _context(user: Any) -> Iterator[str]:
    yield from settings.PASSWORD_CONTEXT_WORDS
    email = getattr(user, "email", "")
    local, _, domain = email.rpartition("@")
    known = [getattr(user, "name", ""), getattr(user, "surname", ""), local, domain.rpartition(".")[0]]
    for text in known:
        for word in [text, *re.split(r"[\W_]+", text)]:
            if len(word) >= MINIMUM_WORD_LENGTH:
                yield word
