"""Integrity lives in named constraints; this turns the violation of one into a Problem."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError

from chassis.http.errors import Problem


@contextmanager
def constraint(name: str, problem: type[Problem]) -> Iterator[None]:
    """Raises `problem` when the block violates the database constraint called `name`.

    Goes around `transaction.atomic()`, so that the transaction has ended when the Problem is raised.
    """
    try:
        yield
    except IntegrityError as error:
        diagnostics = getattr(error.__cause__, "diag", None)
        if getattr(diagnostics, "constraint_name", None) == name:
            raise problem from error
        raise
