"""`make audit`: what an index like PyPI says of the locked packages, and what becomes of that."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tools.supply_chain import auditing

WEAKNESS = {
    "id": "PYSEC-1",
    "aliases": ["CVE-1"],
    "fixed_in": ["9"],
    "summary": "Lets everybody in.",
    "withdrawn": None,
}


@contextmanager
def index(weak=(), *, has_versions=True, newest=None):
    """An index, with `weak` packages; without documents of versions it knows of each project the version `newest`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            _, name, *rest = self.path.split("/")[1:]
            if len(rest) == 2 and not has_versions:
                self.send_error(404)
                return
            version = rest[0] if len(rest) == 2 else newest or dict(auditing.locked())[name]  # one of them
            body = json.dumps({"info": {"version": version}, "vulnerabilities": [WEAKNESS] if name in weak else []})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/pypi"
    finally:
        server.shutdown()
        server.server_close()


def test_everything_that_is_installed_anywhere_is_looked_at():
    assert {"django", "celery", "gunicorn", "pytest", "locust", "checkov", "mkdocs", "cyclonedx-bom"} <= names()
    folder = auditing.ROOT / "requirements"
    assert {file.stem for file in folder.glob("*.in")} - {file.stem for file in auditing.files()} == {"chassis"}


def names():
    return {name for name, _ in auditing.locked()}


def test_what_is_accepted_is_still_installed_and_only_that_is_passed_over(capsys, monkeypatch):
    assert set(auditing.ACCEPTED) <= names()
    monkeypatch.setitem(auditing.ACCEPTED, "django", {"CVE-1": "for this test"})

    with index(["django", "celery"]) as url:
        assert auditing.run(index=url) == 1

    said = capsys.readouterr().out
    assert "1 of" in said and "  celery==" in said and "  django==" not in said
    assert "Accepted for django: CVE-1 (for this test)" in said


def test_a_weakness_says_whose_requirements_have_it(capsys):
    with index(["locust"]) as url:
        assert auditing.run(index=url) == 1

    assert " of experiments.txt, loadtest.txt: PYSEC-1" in capsys.readouterr().out


@pytest.mark.parametrize("has_versions", [True, False])
def test_a_known_weakness_fails_also_in_lint(capsys, has_versions):
    with index(["django"], has_versions=has_versions) as url:
        assert auditing.run(in_lint=True, index=url) == 1

    said = capsys.readouterr().out
    assert "1 of" in said and "PYSEC-1, CVE-1, fixed in 9. Lets everybody in." in said


def test_without_one_all_is_well(capsys):
    with index() as url:
        assert auditing.run(index=url) == 0

    assert f"0 of {len(auditing.locked())} are affected" in capsys.readouterr().out


def test_what_the_index_does_not_know_is_named(capsys):
    with index(["django"], has_versions=False, newest="0.0.1") as url:
        assert auditing.run(index=url) == 0

    said = capsys.readouterr().out
    assert "0 of 0 are affected" in said and "does not have" in said and "django==" in said


def test_without_an_index_lint_says_that_it_was_skipped(capsys):
    with index() as url:
        pass

    assert auditing.run(in_lint=True, index=url) == 0
    assert "SKIPPED, because" in capsys.readouterr().out
    assert auditing.run(index=url) == 2
