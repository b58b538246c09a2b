"""Clients recognise errors by their codes: each is documented."""

from chassis.testing import problem_codes


def test_every_code_is_documented():
    missing = problem_codes.undocumented()
    assert not missing, "docs/errors.md has no row\n" + "\n".join(missing)
