"""A broken version as a canary, and as a plain rolling update."""

from evidence.experiments import broken_release
from evidence.experiments.broken_release import ROLLING, Watch
from evidence.experiments.experiment import CLUSTER, Experiment, Figures, Report
from evidence.harness.records import Recorder

CANARY = "canary of 25 %"
WEIGHT = 25


def run(recorder: Recorder) -> None:
    """Both ways of releasing the same broken version."""
    with broken_release.prepared(recorder) as (user, _):
        broken_release.release(recorder, user, ROLLING, broken_release.roll)
        broken_release.release(recorder, user, CANARY, _canary)


def _canary(watch: Watch) -> None:
    try:
        broken_release.step(watch, "canary", "start", "canary-start", weight=WEIGHT)
        watch.notice()
    finally:
        broken_release.step(watch, "canary", "abort", "canary-abort")
    watch.recorder.event("deleted")


def report(figures: Figures) -> Report:
    """A canary fails fewer requests, and at most its share of them at any time."""
    rolling, canary = figures[ROLLING], figures[CANARY]
    ratio = rolling["failed"] / canary["failed"] if canary["failed"] else float("inf")
    return Report(
        line=f"a broken version failed {rolling['failed']} requests by rolling update (worst "
        f"{100 * rolling['worst']:.0f} %), "
        f"{canary['failed']} as a canary (worst {100 * canary['worst']:.0f} %)",
        holds=0 < canary["failed"] < rolling["failed"] and canary["worst"] < rolling["worst"],
        verdict=f"""by a plain rolling update users saw {rolling["failed"]} failed requests,
        {100 * rolling["worst"]:.0f} % of all in the worst five seconds and for {rolling["failing_for"]:.0f} s; as a
        canary of {WEIGHT} % of the pods {canary["failed"]} ({ratio:.1f} times fewer), never more than
        {100 * canary["worst"]:.0f} % and for {canary["failing_for"]:.0f} s. A canary does not keep a defect from
        users; it limits how many see it until it is detected.""",
        header=broken_release.HEADER,
        rows=broken_release.rows(figures),
        notes=[
            """Half of the requests that reach the broken version fail, so a rolling update fails at most 50 %,
            and the canary a quarter of that. Readiness probes stop neither, because they succeed on the broken
            version. A removed pod continues to answer for some seconds, until the gateway has learned from DNS that
            it is gone, which saves requests when nothing is broken."""
        ],
    )


EXPERIMENT = Experiment(
    name="canary",
    title="Canary: a broken version reaches users",
    question="How many requests fail when the new version is broken, as a canary and by a plain rolling update?",
    method=f"""{broken_release.METHOD} The canary is that of `make canary-start WEIGHT={WEIGHT}` and `make
    canary-abort`: one pod beside three.""",
    needs=CLUSTER,
    run=run,
    figures=broken_release.figures,
    report=report,
    panels=broken_release.panels,
)
