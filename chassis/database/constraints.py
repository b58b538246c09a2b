"""Named database constraints, translated into exceptions."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError


@contextmanager
def constraint(name: str, error: type[Exception]) -> Iterator[None]:
    """Raises `error` when the block violates the database constraint called `name`; other violations pass through.

    Goes around `transaction.atomic()`, so that the transaction has ended when `error` is raised.
    """
    try:
        yield
    except IntegrityError as violation:
        diagnostics = getattr(violation.__cause__, "diag", None)
        if getattr(diagnostics, "constraint_name", None) == name:
            raise error from violation
        raise
