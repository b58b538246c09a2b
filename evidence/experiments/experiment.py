"""An experiment: how it is run, and how its report is written from its CSV file."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evidence.harness import machine, plots, records
from evidence.harness.plots import Panel
from evidence.harness.records import Record, Recorder
from evidence.harness.reports import facts_table, paragraph, table
from local.paths import ROOT
from tools.deployment import kubernetes

FOLDER = ROOT / "docs" / "experiments"
LOCAL = "local processes, started for the experiment and stopped after it; no cluster"
CLUSTER = "Tessera on the cluster of the current Kubernetes context, as `make minikube` starts it"
FACTS = ["date", "processor", "memory", "system", "python", "revision", "cluster", "took"]
Figures = dict[str, Any]


@dataclass
class Report:
    """The conclusions from the figures."""

    line: str  # the result in one line
    holds: bool  # whether the expectation was met
    verdict: str
    header: list[str]
    rows: list[list[object]]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Experiment:
    """`run` measures; the other callables are pure functions of the records."""

    name: str
    title: str
    question: str
    method: str
    needs: str  # LOCAL or CLUSTER
    run: Callable[[Recorder], None]
    figures: Callable[[list[Record]], Figures]
    report: Callable[[Figures], Report]
    panels: Callable[[list[Record], Figures], list[Panel]]
    columns: int = 1

    def measure(self) -> None:
        """Run it and keep its CSV file; an interrupted run leaves the previous file unchanged."""
        print(f"\n{self.name}: {self.title}\n  needs {self.needs}", flush=True)
        if self.needs == CLUSTER:
            kubernetes.check_context()
        FOLDER.mkdir(parents=True, exist_ok=True)
        unfinished = ROOT / ".local" / f"{self.name}.csv"
        unfinished.parent.mkdir(exist_ok=True)
        recorder = Recorder(unfinished)
        found = machine.facts(f"make experiments E={self.name}")
        found |= machine.cluster_facts() if self.needs == CLUSTER else {}
        for name, value in found.items():
            recorder.add("fact", name, value, seconds=0)
        try:
            self.run(recorder)
        finally:
            recorder.close()
        unfinished.replace(self.file("csv"))

    def write(self) -> Report:
        """Write report and plot from the CSV file; returns the report."""
        seen = records.read(self.file("csv"))
        figures = self.figures(seen)
        report = self.report(figures)
        self.file("md").write_text(self.markdown(seen))
        plots.draw(self.title, self.panels(seen, figures), self.file("png"), columns=self.columns)
        return report

    def file(self, suffix: str) -> Path:
        """The path of its CSV file, report or plot."""
        return FOLDER / f"{self.name}.{suffix}"

    def markdown(self, seen: list[Record]) -> str:
        """The report as text."""
        report, facts = self.report(self.figures(seen)), records.facts(seen)
        module = f"evidence/experiments/{self.name.replace('-', '_')}.py"
        notes = [line for note in report.notes for line in ("", paragraph(note))]
        return "\n".join(
            [
                f"# {self.title}",
                "",
                f"**{self.question}**",
                "",
                paragraph(f"{'As expected' if report.holds else '**Not as expected**'}: {report.verdict}"),
                "",
                f"![{self.title}]({self.name}.png)",
                "",
                *table(report.header, report.rows),
                *notes,
                "",
                "## Method",
                "",
                paragraph(self.method),
                "",
                paragraph(
                    f"Reproduce it with `{facts.get('command', '')}`. It needs {self.needs}. Every number above is "
                    f"computed from [{self.name}.csv]({self.name}.csv) by `{module}`."
                ),
                "",
                *facts_table({name: facts[name] for name in FACTS if name in facts}),
                "",
            ]
        )


def index(experiments: list[Experiment]) -> str:
    """docs/experiments/README.md, from the CSV files that are there."""
    rows: list[list[object]] = []
    for experiment in experiments:
        if experiment.file("csv").exists():
            report = experiment.report(experiment.figures(records.read(experiment.file("csv"))))
            where = "cluster" if experiment.needs == CLUSTER else "local processes"
            holds = "yes" if report.holds else "**no**"
            rows.append([f"[{experiment.name}]({experiment.name}.md)", where, report.line, holds])
    return "\n".join(
        [
            "# Experiments",
            "",
            paragraph(
                """The effects of orchestration, measured: `make experiments` repeats all of them, `make experiments
                E=failover` one, each in less than ten minutes. Each report, plot and verdict is computed from the CSV
                file of one run beside it; `make experiments DRAW=1` writes them and this page from the CSV files
                without a run."""
            ),
            "",
            *table(["experiment", "runs on", "result", "as expected"], rows),
            "",
            paragraph(
                """The numbers are those of one small machine, on which the system, the load and the measurement
                share two cores. Their order and their shape carry over to another machine, their values do not."""
            ),
            "",
            paragraph(
                """An experiment on a cluster changes Deployments of the namespace `tessera` while it runs, and restores
                them. It only runs on a cluster with the name of a local one (`CLUSTER_CONTEXTS=name` allows another).
                If it needs another image, it builds it from the running one and loads it into the nodes as `make
                cluster-test` does (`CLUSTER_IMAGE_LOAD`)."""
            ),
            "",
        ]
    )
