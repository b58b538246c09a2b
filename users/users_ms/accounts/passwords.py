"""Password hashes, and what a new password has to be.

By default bcrypt over SHA-256, so that long passwords keep all of their length (bcrypt reads 72 bytes); or argon2id.
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
MINIMUM_WORD_LENGTH = 3  # of a name: a shorter one is a part of too many words
# Each to one character, so that what is left can be counted.
_DISGUISES = str.maketrans("@4830!15$7", "aabeoiisst")


class Bcrypt(hashers.BCryptSHA256PasswordHasher):
    """Django's hasher with the cost of this installation."""

    @property
    def rounds(self) -> int:  # type: ignore[override]
        return int(settings.BCRYPT_COST)


class Argon2id(hashers.Argon2PasswordHasher):
    """Django's hasher with the memory and passes of this installation, in one lane.

    By default those of OWASP's Password Storage Cheat Sheet: 19 MiB and two passes.
    """

    parallelism = 1

    @property
    def memory_cost(self) -> int:  # type: ignore[override]
        return int(settings.ARGON2_MEMORY_KIB)

    @property
    def time_cost(self) -> int:  # type: ignore[override]
        return int(settings.ARGON2_PASSES)


def hash_password(password: str) -> str:
    """The hash to store; takes about a quarter of a second by bcrypt at cost 12, on purpose.

    Raises ServiceUnavailable when too many passwords are being hashed.
    """
    with password_concurrency.passwords.slot(), password_concurrency.hashing_seconds.labels("hash").time():
        return hashers.make_password(password, hasher=hashers.get_hashers_by_algorithm()[settings.PASSWORD_HASHER])


class NotBreached:
    """A validator: the password is not known from breaches."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raises ValidationError."""
        if breached.is_known(password):
            raise ValidationError("This password is too common.", code="password_too_common")

    def get_help_text(self) -> str:
        return "It must not be a commonly used password."


class NotMadeOfContext:
    """A validator: words that an attacker expects of this user here count for nothing.

    These are settings.PASSWORD_CONTEXT_WORDS, and the parts of the name, the surname and the address, also when written
    as `T3ssera`. What is left of the password without them has to be long enough.
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
