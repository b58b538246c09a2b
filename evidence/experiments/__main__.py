"""`python -m evidence.experiments [NAME ...]`: measure, write the reports, and print a table of the results."""

import argparse
import importlib
import signal
import subprocess
import sys
from typing import Any, NoReturn

from evidence.experiments.experiment import FOLDER, Experiment, index

NAMES = [
    "queue-sharing",
    "consumer-scaling",
    "failover",
    "liveness",
    "rolling-update",
    "autoscaling",
    "blue-green",
    "canary",
]


def experiment(name: str) -> Experiment:
    """The experiment of that name."""
    module = importlib.import_module(f"evidence.experiments.{name.replace('-', '_')}")
    found: Experiment = module.EXPERIMENT
    return found


def main() -> None:
    """Run the named experiments, or all. The exit status is 1 when an expectation was not met."""
    signal.signal(signal.SIGTERM, _interrupt)
    parser = argparse.ArgumentParser(prog="python -m evidence.experiments", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--draw", action="store_true", help="write the reports from the CSV files, without a run")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(NAMES):
        sys.exit(f"Unknown: {', '.join(unknown)}. Choose from: {', '.join(NAMES)}")
    try:
        sys.exit(run([experiment(name) for name in arguments.names or NAMES], draw=arguments.draw))
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
    except (TimeoutError, RuntimeError, AssertionError, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"{error}")


def run(chosen: list[Experiment], *, draw: bool) -> int:
    """Run or only draw experiments; prints the results, and returns the exit status."""
    results, missing = [], []
    for each in chosen:
        try:
            if not draw:
                each.measure()
        except SystemExit as reason:  # its requirements are not met
            print(f"{each.name} did not run: {reason}")
            missing.append(each.name)
            continue
        if each.file("csv").exists():
            results.append((each, each.write()))
    (FOLDER / "README.md").write_text(index([experiment(name) for name in NAMES]))
    print(f"\n{'experiment':18}{'as expected':13}result")
    for each, report in results:
        print(f"{each.name:18}{'yes' if report.holds else 'NO':13}{report.line}")
    for name in missing:
        print(f"{name:18}{'-':13}did not run")
    print("Reports: docs/experiments/README.md")
    return 0 if not missing and all(report.holds for _, report in results) else 1


def _interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
