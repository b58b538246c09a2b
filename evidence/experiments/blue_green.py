"""A broken version by blue-green, promoted unseen and looked at first, and as a plain rolling update."""

from evidence.experiments import broken_release
from evidence.experiments.broken_release import ROLLING, SERVICE, Watch
from evidence.experiments.experiment import CLUSTER, Experiment, Figures, Report
from evidence.harness.records import Recorder
from tools.deployment.kubernetes import NAMESPACE, kubectl

BLIND, CHECKED = "blue-green, promoted unseen", "blue-green, looked at first"
CHECKS = 10
WAY = "blue-green"


def run(recorder: Recorder) -> None:
    """The three ways of releasing the same broken version."""
    with broken_release.prepared(recorder) as (user, _):
        broken_release.release(recorder, user, ROLLING, broken_release.roll)
        broken_release.release(recorder, user, BLIND, _promote)
        broken_release.release(recorder, user, CHECKED, _check_first)


def _promote(watch: Watch) -> None:
    try:
        broken_release.step(watch, WAY, "start", "start")
        broken_release.step(watch, WAY, "promote", "promote")
        watch.notice()
    finally:
        broken_release.step(watch, WAY, "abort", "abort")
    watch.recorder.event("green is gone")


def _check_first(watch: Watch) -> None:
    try:
        broken_release.step(watch, WAY, "start", "start")
        bad = _failed_checks()
        watch.recorder.add("preview", "failed checks", bad)
        watch.recorder.event(f"{bad} of {CHECKS} checks failed")
        if not bad:
            broken_release.step(watch, WAY, "promote", "promote")
            watch.notice()
    finally:
        broken_release.step(watch, WAY, "abort", "abort")
    watch.recorder.event("green is gone")


def _failed_checks() -> int:
    """Failed requests to green alone, through its own Service and the API server."""
    service = f"/api/v1/namespaces/{NAMESPACE}/services/{SERVICE}-green-cluster-ip-service:http/proxy"
    done = [kubectl("get", "--raw", f"{service}/{SERVICE}/openapi.json", check=False) for _ in range(CHECKS)]
    return sum(each.returncode != 0 for each in done)


def report(figures: Figures) -> Report:
    """Looked at first, no user sees the defect; promoted unseen, all see it, but for a shorter time."""
    rolling, blind, checked = figures[ROLLING], figures[BLIND], figures[CHECKED]
    return Report(
        line=f"a broken version failed {rolling['failed']} requests by rolling update ({rolling['failing_for']:.0f} "
        "s), "
        f"{blind['failed']} by blue-green promoted unseen ({blind['failing_for']:.0f} s), {checked['failed']} when "
        "green was "
        "looked at first",
        holds=checked["failed"] == 0 and 0 < blind["failing_for"] < rolling["failing_for"],
        verdict=f"""looked at first through green's own Service, the defect showed in {checked["checks_failed"]} of
        {CHECKS} checks and {checked["failed"]} of the users' requests failed. Promoted unseen,
        {100 * blind["worst"]:.0f} % of the requests of the worst five seconds failed, {blind["failed"]} in all, for
        {blind["failing_for"]:.0f} s: the switch back took {broken_release.seconds(blind["went_on_for"])}. A rolling
        update failed {rolling["failed"]}, at worst {100 * rolling["worst"]:.0f} %, for {rolling["failing_for"]:.0f}
        s, because the rollback is another rollout, which took {broken_release.seconds(rolling["went_on_for"])} until
        the last failure.""",
        header=broken_release.HEADER,
        rows=broken_release.rows(figures),
        notes=[
            """Blue-green protects only as far as green is checked before the switch; unchecked, all users get the new
            version at once. It needs room for twice the pods. The Services switch at once, but the gateway
            follows DNS, so a switch reaches users a few seconds later, in either direction."""
        ],
    )


EXPERIMENT = Experiment(
    name="blue-green",
    title="Blue-green: a broken version reaches users, or not",
    question="How many requests fail when the new version is broken, by blue-green and by a plain rolling update?",
    method=f"""{broken_release.METHOD} Blue-green is that of `make blue-green-start`, `promote` and `abort`: promoted
    once as soon as its pods are ready, and once after {CHECKS} requests to green alone.""",
    needs=CLUSTER,
    run=run,
    figures=broken_release.figures,
    report=report,
    panels=broken_release.panels,
)
