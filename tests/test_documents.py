"""The checks of documents find errors."""

import ast
import re
import subprocess
import sys

import pytest

from evidence.harness.copied_tree import run, tree
from local.paths import ROOT
from tools.documents.checking import Document
from tools.documents.execution import has_shape, steps_of

__all__ = ["tree"]

SAME = [
    ("   POST http://127.0.0.1:8080/a -> 201", "   POST http://127.0.0.1:8080/a -> 201"),
    ("  19.5 s  users-db: answers", "   0.3 s  users-db: answers"),
    ('{"id": 4, "created_at": "2026-11-24T05:13:18.386325Z"}', '{"created_at":"2025-01-01T00:00:00Z","id":31}'),
    ("31 passed, 0 failed", "1 passed, 0 failed"),
    ("a\nb\nc", "a\n...\nc"),
    ("the password: x7-kq_mVw9Lr4TzBn (kept)", "the password: ... (kept)"),
    ("\033[33ma warning\033[0m", "a warning"),
]
OTHER = [
    ("   POST http://127.0.0.1:8080/a -> 500", "   POST http://127.0.0.1:8080/a -> 201"),
    ("405", "200"),
    ('{"id": 4, "surname": "King"}', '{"id": 4, "surname": "Lovelace"}'),
    ('{"id": 4, "more": 1}', '{"id": 4}'),
    ('{"id": "4"}', '{"id": 4}'),
    ("31 passed, 2 failed", "31 passed, 0 failed"),
    ("a\nb", "a"),
    ("a", "a\nb"),
    ("a\nb", "...\nc"),
]


@pytest.mark.parametrize(("printed", "shown"), SAME)
def test_output_that_matches(printed, shown):
    assert has_shape(printed, shown)


@pytest.mark.parametrize(("printed", "shown"), OTHER)
def test_output_that_does_not_match(printed, shown):
    assert not has_shape(printed, shown)


def test_the_steps_of_a_document_are_its_commands_with_their_output(tmp_path):
    file = tmp_path / "page.md"
    file.write_text(
        "# Page\n\n```sh\nmake up\n```\n\nText.\n\n```\nTessera is running\n```\n\n"
        "<!-- not run: it takes long -->\n```sh\nmake test\n```\n\n```sh\nmake down\n```\n"
    )

    steps = steps_of(Document.read(file))

    assert [(step.block.text, step.shown) for step in steps] == [
        ("make up\n", "Tessera is running\n"),
        ("make down\n", None),
    ]


def test_missing_links_commands_and_files_are_reported(tree):
    wrong = {
        "[a](docs/none.md)": "docs/none.md: no such file",
        "![a](docs/none.png)": "docs/none.png: no such file",
        "[a](docs/architecture.md#nothing)": "docs/architecture.md#nothing: no such heading",
        "`make nothing`": "make nothing: no such command",
        "```sh\nmake nothing-else\n```": "make nothing-else: no such command",
        "`local/nothing.py`": "`local/nothing.py`: no such file",
        "`chassis/<name>.pyx`": "`chassis/<name>.pyx`: no such file",
    }
    right = "[a](docs/architecture.md#events) `make up` `chassis/outbox/` `<name>.md` `backups/` `/users-ms/users`"
    (tree / "README.md").write_text("\n\n".join([right, *wrong]))

    done = run(tree, "tools", "check-documents", check=False)

    assert done.returncode != 0
    assert sorted(line.partition(": ")[2] for line in done.stderr.splitlines()) == sorted(wrong.values())


# Scripts of users rely on these commands; `make help` shows newcomers about ten of all commands.
CONTRACT = "up down clean test demo logs status admin lint bench experiments cluster-test help"


def listed(*options):
    done = subprocess.run(["make", "--no-print-directory", "help", *options], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return re.findall(r"^  make ([a-z-]+) ", done.stdout, re.M)


def test_make_help_is_short_and_lists_every_command_on_request():
    every = listed("ALL=1")

    assert set(CONTRACT.split()) <= set(every)
    assert 8 <= len(listed()) <= 12
    assert set(listed()) < set(every)
    assert sorted(every) == sorted(set(every))


@pytest.mark.parametrize("package", ["tools", "evidence"])
def test_the_help_of_a_command_line_starts_without_importing_what_commands_need(package):
    heavy = ("django", "kombu", "pytest", "requests", "yaml")
    code = (
        f"import runpy, sys; sys.argv[1:] = ['--help']\ntry: runpy.run_module('{package}', run_name='__main__')\n"
        f"except SystemExit: print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


def limits_in_code():
    """The names of the services' rate limits, and whether callers are ever shown them."""
    shown = {}
    for file in ROOT.glob("*/*_ms/**/*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Limit":
                given = {each.arg: each.value for each in node.keywords}
                shown[given["name"].value] = "is_shown" in given
    return shown


def test_the_limits_that_are_shown_are_documented_and_no_others_are():
    section = (ROOT / "docs" / "errors.md").read_text().partition("## Rate limits")[2].partition("## ")[0]

    documented = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)

    found = limits_in_code()
    assert sorted(documented) == sorted(name for name, is_shown in found.items() if is_shown)
    hidden = {"mail", "email_codes_of_an_hour", "invitation_recipient", "repeated_sign_up"}
    hidden |= {"email_change", "second_factor"}
    assert hidden <= {name for name, is_shown in found.items() if not is_shown}
