"""`make mutants`: changes one thing at a time in domain code and shows which changes its tests do not notice.

Cosmic Ray (https://cosmic-ray.readthedocs.io) makes the changes, in a copy of the tree. Most of a module's changes are
of one kind, so a sample of fixed size, drawn with a fixed seed, is tested.
"""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from local.paths import ROOT
from tools.testing import runner, tree_copy

SAMPLE = 40  # mutants of each target
ENVIRONMENT = ROOT / ".venv-mutation" / "bin"
CONFIGURATION = """\
[cosmic-ray]
module-path = {modules}
timeout = 120.0
excluded-modules = []
test-command = "{python} -m pytest --exitfirst --quiet --reuse-db --numprocesses=0 {tests}"

[cosmic-ray.distributor]
name = "local"
"""
# Run by the environment of Cosmic Ray; its own filters mark work as skipped in the same way.
DRAW = """\
import random, sys
from cosmic_ray.work_db import use_db
from cosmic_ray.work_item import WorkerOutcome, WorkResult
with use_db(sys.argv[1]) as work:
    pending = sorted(work.pending_work_items, key=lambda item: repr(item.mutations))
    random.Random(1).shuffle(pending)
    for item in pending[int(sys.argv[2]):]:
        work.set_result(item.job_id, WorkResult(worker_outcome=WorkerOutcome.SKIPPED))
    print(len(pending))
"""


@dataclass(frozen=True)
class Target:
    """Code of a service or the chassis, and the tests that should notice a change of it."""

    service: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]


TARGETS = {
    "sessions": Target(
        "auth",
        ("auth/auth_ms/sessions/services.py", "auth/auth_ms/sessions/authority.py"),
        ("test_refresh", "test_sessions", "test_authority", "test_cookies", "test_pruning"),
    ),
    "lockout": Target("auth", ("auth/auth_ms/sign_in/services/lockout.py",), ("test_lockout", "test_pruning")),
    "recovery": Target(
        "auth", ("auth/auth_ms/recovery/services/",), ("test_recovery", "test_emails", "test_phones", "test_meanwhile")
    ),
    "relay": Target("chassis", ("chassis/outbox/relay.py", "chassis/outbox/publisher.py"), ("test_outbox",)),
    "notify": Target(
        "notification",
        ("notification/notification_ms/deliveries/services.py", "notification/notification_ms/deliveries/limits.py"),
        ("test_delivering", "test_limits", "test_notifications", "test_forgetting"),
    ),
}


def run(*, targets: list[str]) -> int:
    """Tests a sample of the mutants of each target, all by default; prints the survivors and the score.

    Returns 0 whether mutants survive or not: whether one matters is for a reader to decide.
    """
    if unknown := set(targets) - TARGETS.keys():
        sys.exit(f"No target is named {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}.")
    for name in targets or TARGETS:
        _run_target(name, TARGETS[name])
    return 0


def _run_target(name: str, target: Target) -> None:
    directory = runner.DIRECTORY
    with (
        tempfile.TemporaryDirectory(prefix="tessera-mutants-") as temporary,
        runner.alone(directory),
        runner.servers_for(directory, target.service) as layout,
    ):
        tree, session = Path(temporary) / "tree", Path(temporary) / "session.sqlite"
        tree_copy.copy_tree(tree)
        suite = runner.own_tests(layout, target.service)
        paths = suite.variables.get("PYTHONPATH", "").replace(str(ROOT), str(tree))
        environment = os.environ | suite.variables | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
        tests = " ".join(f"{target.service}/tests/{test}.py" for test in target.tests)
        configuration = Path(temporary) / "cosmic-ray.toml"
        configuration.write_text(
            CONFIGURATION.format(modules=list(target.modules), python=tree / ".venv/bin/python", tests=tests)
        )

        def call(program: str, *arguments: str | Path) -> str:
            command = [ENVIRONMENT / program, *arguments]
            done = subprocess.run(command, cwd=tree, env=environment, text=True, stdout=subprocess.PIPE)
            return done.stdout if done.returncode == 0 else sys.exit(f"{done.stdout}\n{program} failed.")

        print(f"\n{name}: the tests without a change ...", flush=True)
        call("cosmic-ray", "baseline", configuration)
        call("cosmic-ray", "init", configuration, session)
        number = int(call("python", "-c", DRAW, session, str(SAMPLE)))
        print(f"{name}: {min(SAMPLE, number)} of {number} mutants, some seconds each ...", flush=True)
        call("cosmic-ray", "exec", configuration, session)
        survivors = call("cr-report", "--surviving-only", "--show-diff", session).partition("total jobs:")[0]
        print(survivors)
        print(f"{name}: {survivors.count('[job-id]')} of {min(SAMPLE, number)} mutants survive.", flush=True)
