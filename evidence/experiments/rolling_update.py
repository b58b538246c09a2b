"""A new version by rolling update and by Recreate."""

import itertools
import time

from evidence.experiments import on_cluster
from evidence.experiments.experiment import CLUSTER, Experiment, Figures, Report
from evidence.harness.load import User, recorded, traffic
from evidence.harness.plots import BLUE, ORANGE, Panel, Series, answers, events, line
from evidence.harness.records import Record, Recorder, cases, failed, of, percentile

ROLLING, RECREATE = "rolling update", "Recreate"
PODS = 3
NEXT_VERSION = "experiment-next"
RECREATE_PATCH = {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}}


def run(recorder: Recorder) -> None:
    """To the next version with the strategy that is installed, back with Recreate."""
    user = User(on_cluster.ready()["GATEWAY_URL"])
    strategy = on_cluster.deployment("users-ms")["spec"]["strategy"]
    with on_cluster.image_kept("users-ms") as before, on_cluster.fixed_at("users-ms", PODS):
        newer = on_cluster.build(NEXT_VERSION, before, broken=False)
        _replace(recorder, user, ROLLING, newer)
        on_cluster.patch("deployment", "users-ms", RECREATE_PATCH)
        try:
            _replace(recorder, user, RECREATE, before)
        finally:
            on_cluster.patch("deployment", "users-ms", {"spec": {"strategy": strategy}})


def _replace(recorder: Recorder, user: User, case: str, reference: str) -> None:
    user.sign_in()
    recorder.case(case)
    load = traffic({"profile": user.read_profile}, pause=0.1, on_answer=recorded(recorder))
    with on_cluster.watched(recorder, "users-ms"), load:
        time.sleep(10)
        recorder.event("new version")
        on_cluster.set_image("users-ms", reference)
        on_cluster.rolled_out("users-ms")
        recorder.event("rolled out")
        time.sleep(8)


def figures(records: list[Record]) -> Figures:
    """For each strategy: duration, failed requests, fewest ready pods."""
    found: Figures = {}
    for case in cases(records):
        marks = {record.name: record.seconds for record in of(records, "event", case=case)}
        requests = of(records, "request", case=case)
        bad = [request for request in requests if failed(request)]
        ready: dict[float, float] = {}
        for record in of(records, "ready pods", case=case):
            ready[record.seconds] = ready.get(record.seconds, 0) + record.number
        good = [request.number for request in requests if not failed(request)]
        found[case] = {
            "seconds": marks["rolled out"] - marks["new version"],
            "requests": len(requests),
            "failed": len(bad),
            "failing_for": bad[-1].seconds - bad[0].seconds if bad else 0.0,
            "fewest_ready": int(min(ready.values())),
            "without_pods": _seconds_at_zero(ready),
            "p50": percentile(good, 0.5),
            "p99": percentile(good, 0.99),
        }
    return found


def _seconds_at_zero(counts: dict[float, float]) -> float:
    """How long no pod was ready."""
    return sum(until - since for since, until in itertools.pairwise(sorted(counts)) if counts[since] == 0)


def report(figures: Figures) -> Report:
    """A rolling update fails no request; Recreate does."""
    rolling, recreate = figures[ROLLING], figures[RECREATE]
    rows: list[list[object]] = [
        [
            case,
            f"{each['seconds']:.0f} s",
            each["fewest_ready"],
            f"{each['failed']} of {each['requests']} ({100 * each['failed'] / each['requests']:.1f} %)",
            f"{each['failing_for']:.0f} s" if each["failed"] else "-",
            f"{each['p50']:.0f} ms",
            f"{each['p99']:.0f} ms",
        ]
        for case, each in figures.items()
    ]
    return Report(
        line=f"rolling update: {rolling['failed']} of {rolling['requests']} requests failed; "
        f"Recreate: {recreate['failed']} of {recreate['requests']}",
        holds=rolling["failed"] == 0 and recreate["failed"] > 0,
        verdict=f"""a rolling update of {PODS} pods failed {rolling["failed"]} of {rolling["requests"]} requests and
        never had fewer than {rolling["fewest_ready"]} ready pods. Recreate failed {recreate["failed"]} of
        {recreate["requests"]}, because for {recreate["without_pods"]:.0f} s no pod was ready; its clients waited up
        to 3 s for each answer, so they sent fewer.""",
        header=["", "took", "fewest ready pods", "failed requests", "failing for", "median", "99th percentile"],
        rows=rows,
        notes=[
            """Recreate is the strategy of the databases, whose volume only one pod may write; their clients wait and
            retry. It is shown here with users-ms, which is not deployed that way."""
        ],
    )


def panels(records: list[Record], figures: Figures) -> list[Panel]:
    """Pods by version above, answers below, for each strategy."""
    names = list(dict.fromkeys(record.name for record in of(records, "ready pods")))
    drawn = []
    for case in cases(records):
        marks = events(records, case)
        last = max(record.seconds for record in of(records, "ready pods", case=case))
        pods: list[Series] = [
            line(of(records, "ready pods", case=case, name=name), f"{name}, ready", "step", color)
            for name, color in zip(names, (BLUE, ORANGE), strict=False)
        ]
        pods.append(line(of(records, "pods", case=case), "all pods", "dashed", "#757575"))
        requests = of(records, "request", case=case)
        drawn += [
            Panel(f"{case}: pods by version", "seconds", "pods", pods, marks, x_max=last),
            Panel(f"{case}: requests", "seconds", "requests per second", answers(requests), marks, x_max=last),
        ]
    return drawn


EXPERIMENT = Experiment(
    name="rolling-update",
    title="Rolling update and Recreate under load",
    question="Does the rollout of a new version fail requests?",
    method=f"""users-ms is held at {PODS} pods and gets another image of the same code, with the strategy that is
    installed (25 % more, 25 % fewer, rounded: one more, none fewer), and then the first image again with the
    strategy Recreate. Three clients read a profile through the gateway, with a pause of 0.1 s; a request counts as
    failed unless it is answered with 2xx within 10 s. Ready pods are counted every second.""",
    needs=CLUSTER,
    run=run,
    figures=figures,
    report=report,
    panels=panels,
)
