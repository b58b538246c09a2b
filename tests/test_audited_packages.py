"""`make audit`: finds known vulnerabilities of locked packages in an index like PyPI."""

import json
from contextlib import contextmanager

import pytest

from evidence.harness.local_server import QuietHandler, serving
from tools.supply_chain import auditing

VULNERABILITY = {
    "id": "PYSEC-1",
    "aliases": ["CVE-1"],
    "fixed_in": ["9"],
    "summary": "Allows anonymous access.",
    "withdrawn": None,
}


@contextmanager
def index(weak=(), *, has_versions=True, newest=None):
    """An index with `weak` packages. Without documents for versions, each project has only the version `newest`."""

    class Handler(QuietHandler):
        def do_GET(self):
            _, name, *rest = self.path.split("/")[1:]
            if len(rest) == 2 and not has_versions:
                self.send_error(404)
                return
            version = rest[0] if len(rest) == 2 else newest or dict(auditing.locked())[name]  # one of them
            body = json.dumps(
                {"info": {"version": version}, "vulnerabilities": [VULNERABILITY] if name in weak else []}
            )
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body.encode())

    with serving(Handler) as url:
        yield f"{url}/pypi"


def test_every_locked_package_is_checked():
    of_tools = {"pytest", "locust", "checkov", "mkdocs", "cyclonedx-bom"}
    assert {"django", "celery", "gunicorn", "standardwebhooks"} | of_tools <= names()
    folder = auditing.ROOT / "requirements"
    assert {file.stem for file in folder.glob("*.in")} - {file.stem for file in auditing.files()} == {"chassis"}


def names():
    return {name for name, _ in auditing.locked()}


def test_accepted_vulnerabilities_are_of_locked_packages_and_only_they_are_ignored(capsys, monkeypatch):
    assert set(auditing.ACCEPTED) <= names()
    monkeypatch.setitem(auditing.ACCEPTED, "django", {"CVE-1": "for this test"})

    with index(["django", "celery"]) as url:
        assert auditing.run(index=url) == 1

    output = capsys.readouterr().out
    assert "1 of" in output and "  celery==" in output and "  django==" not in output
    assert "Accepted for django: CVE-1 (for this test)" in output


def test_a_vulnerability_names_its_requirements_file(capsys):
    with index(["locust"]) as url:
        assert auditing.run(index=url) == 1

    assert " of requirements/experiments.txt, requirements/loadtest.txt: PYSEC-1" in capsys.readouterr().out


@pytest.mark.parametrize("has_versions", [True, False])
def test_a_known_vulnerability_fails_in_lint_too(capsys, has_versions):
    with index(["django"], has_versions=has_versions) as url:
        assert auditing.run(in_lint=True, index=url) == 1

    output = capsys.readouterr().out
    assert "1 of" in output and "PYSEC-1, CVE-1, fixed in 9. Allows anonymous access." in output


def test_no_vulnerability_succeeds(capsys):
    with index() as url:
        assert auditing.run(index=url) == 0

    assert f"0 of {len(auditing.locked())} are affected" in capsys.readouterr().out


def test_packages_that_the_index_does_not_have_are_named(capsys):
    with index(["django"], has_versions=False, newest="0.0.1") as url:
        assert auditing.run(index=url) == 0

    output = capsys.readouterr().out
    assert "0 of 0 are affected" in output and "does not have" in output and "django==" in output


def test_lint_reports_a_skipped_check_without_an_index(capsys):
    with index() as url:
        pass

    assert auditing.run(in_lint=True, index=url) == 0
    assert "SKIPPED, because" in capsys.readouterr().out
    assert auditing.run(index=url) == 2
