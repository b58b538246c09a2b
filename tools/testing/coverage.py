"""`make cover`: which lines and branches of chassis and services their own tests run, in all their processes."""

import shutil
import subprocess
import sys

from installation.service_catalog import SERVICES
from local.paths import ROOT
from tools.testing import runner


def run(*, pytest: list[str]) -> int:
    """Runs the own tests of each, prints what they do not run, and returns the exit status."""
    directory, folder = runner.DIRECTORY, ROOT / ".local" / "coverage"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    outcome = runner.Outcome()
    with runner.alone(directory):
        for service in ("chassis", *SERVICES):
            with runner.servers_for(directory, service) as layout:
                suite = runner.own_tests(layout, service)
                suite.variables["COVERAGE_FILE"] = str(folder / "data")
                outcome.join(runner.run_all(directory, [suite], pytest, measure=True))
    for command in (["combine", "--quiet"], ["report"], ["html", "--quiet", f"--directory={folder / 'html'}"]):
        coverage = [sys.executable, "-m", "coverage", command[0], f"--data-file={folder / 'data'}", *command[1:]]
        subprocess.run(coverage, cwd=ROOT, check=True)
    print(f"\nLine by line: {(folder / 'html' / 'index.html').relative_to(ROOT)}")
    return outcome.report()
