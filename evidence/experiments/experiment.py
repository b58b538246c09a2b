"""What an experiment is, how it is run, and how its report is written from its CSV file."""

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
LOCAL = "local processes, started for the experiment and gone afterwards; no cluster"
CLUSTER = "the current Kubernetes context, on which `make minikube` has started Tessera"
FACTS = ["date", "processor", "memory", "system", "python", "revision", "cluster", "took"]
Figures = dict[str, Any]


@dataclass
class Report:
    """What the figures say."""

    line: str  # the result in one line
    holds: bool  # whether what was expected was seen
    verdict: str
    header: list[str]
    rows: list[list[object]]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Experiment:
    """`run` measures; the others are pure functions of the records."""

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
        """Runs it, and keeps its CSV file; an interrupted run leaves the last one's as it was."""
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
        """Writes report and plot from the CSV file, and returns what it says."""
        seen = records.read(self.file("csv"))
        figures = self.figures(seen)
        report = self.report(figures)
        self.file("md").write_text(self.markdown(seen))
        plots.draw(self.title, self.panels(seen, figures), self.file("png"), columns=self.columns)
        return report

    def file(self, suffix: str) -> Path:
        """Where its CSV, report or plot is."""
        return FOLDER / f"{self.name}.{suffix}"

    def markdown(self, seen: list[Record]) -> str:
        """The report as text."""
        report, facts = self.report(self.figures(seen)), records.facts(seen)
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
                "## How it was made",
                "",
                paragraph(self.method),
                "",
                paragraph(
                    f"Again: `{facts.get('command', '')}`. It needs {self.needs}. Every number above is computed from "
                    f"[{self.name}.csv]({self.name}.csv) by `evidence/experiments/{self.name.replace('-', '_')}.py`."
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
                """What orchestration does, measured: `make experiments` makes all of them again, `make experiments
                E=failover` one, each in less than ten minutes. A report, its plot and its verdict are computed from
                the CSV file of one run, which lies beside them; `make experiments DRAW=1` writes them anew from it
                without a run, and this page too."""
            ),
            "",
            *table(["experiment", "runs on", "result", "as expected"], rows),
            "",
            paragraph(
                """The numbers are those of one small machine, on which the system, the load and the measurement
                share two cores. What carries over to another machine is their order and their shape."""
            ),
            "",
            paragraph(
                """An experiment on a cluster changes Deployments of the namespace `tessera` for its time, on a
                cluster named like one of your own (`CLUSTER_CONTEXTS=name` allows another), and puts them back.
                Those that need another image build it from the one that runs and bring it to the nodes as `make
                cluster-test` does (`CLUSTER_IMAGE_LOAD`)."""
            ),
            "",
        ]
    )
