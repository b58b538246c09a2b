"""The liveness probe: its requests in the access log, and its effect on a crash and a hang."""

import itertools
import json
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from evidence.experiments import on_cluster
from evidence.experiments.experiment import CLUSTER, Experiment, Figures, Report
from evidence.harness.background import repeating
from evidence.harness.load import User, recorded, traffic
from evidence.harness.plots import BLUE, GREEN, ORANGE, RED, Panel, Series, answers, events, line
from evidence.harness.pods import HANG
from evidence.harness.records import Record, Recorder, failed, of, percentile
from evidence.harness.waiting import eventually
from tools.deployment import kubernetes
from tools.deployment.kubernetes import kubectl

PROBED, CRASH, HUNG = "probes", "crash", "hang"
LOOK_SECONDS = 60
# The first process of a container cannot be killed from inside; gunicorn's own answer to SIGINT is to end at once.
END = "import os, signal; os.kill(1, signal.SIGINT)"
PATIENCE_SECONDS = 180
HARMED, STARTED, READY = "the process is harmed", "the container is started again", "ready again"
SHORT = {HARMED: "harmed", STARTED: "started", READY: "ready"}  # in the plot


def run(recorder: Recorder) -> None:
    """Read the access log, then crash and hang one pod of two under load."""
    user = User(on_cluster.ready()["GATEWAY_URL"])
    _look(recorder)
    for case, harm in ((CRASH, END), (HUNG, HANG)):
        pod = next(found["metadata"]["name"] for found in on_cluster.pods("users-ms") if on_cluster.is_ready(found))
        user.sign_in()
        recorder.case(case)
        with traffic({"profile": user.read_profile}, pause=0.2, on_answer=recorded(recorder)):
            time.sleep(10)
            _harm(recorder, pod, harm)
            time.sleep(10)
        _events(recorder, pod)


def _look(recorder: Recorder) -> None:
    """The health checks in the access log of one pod."""
    recorder.case(PROBED)
    pod = on_cluster.pods("users-ms")[0]["metadata"]["name"]
    time.sleep(LOOK_SECONDS)
    log = kubectl("logs", pod, "--container=app", f"--since={LOOK_SECONDS}s").stdout
    for row in log.splitlines():
        if '"message": "request"' in row and "kube-probe" in row:
            entry = json.loads(row)
            at = recorder.since_start(datetime.fromisoformat(entry["time"]))
            recorder.add("probe", entry["path"], entry["milliseconds"], entry["status"], seconds=at)


def _harm(recorder: Recorder, pod: str, harm: str) -> None:
    """Crash or hang the pod's process, and record what the kubelet does until the pod is ready again."""
    before = _state(pod)["restarts"]

    def watch() -> None:
        at, state = recorder.now(), _state(pod)
        recorder.add("restarts", pod, state["restarts"] - before, seconds=at)
        recorder.add("ready", pod, int(state["ready"]), seconds=at)

    with repeating(watch, pause=0.5):
        time.sleep(3)
        recorder.event(HARMED)
        kubectl("exec", pod, "--container=app", "--", "python", "-c", harm, check=False)
        _until(recorder, STARTED, lambda: _state(pod)["restarts"] > before)
        _until(recorder, READY, lambda: _state(pod)["ready"])
        time.sleep(3)


def _until(recorder: Recorder, text: str, happened: Callable[[], bool]) -> None:
    eventually(happened, seconds=PATIENCE_SECONDS)
    recorder.event(text)


def _state(pod: str) -> dict[str, Any]:
    found = json.loads(kubectl("get", "pod", pod, "--output=json").stdout)
    return {
        "ready": on_cluster.is_ready(found),
        "restarts": int(found["status"]["containerStatuses"][0]["restartCount"]),
    }


def _events(recorder: Recorder, pod: str) -> None:
    """The events of the kubelet about the pod."""
    for event in kubernetes.objects("events", "--field-selector", f"involvedObject.name={pod}"):
        if event["reason"] not in ("Unhealthy", "Killing"):
            continue
        at = recorder.since_start(datetime.fromisoformat(event["lastTimestamp"] or event["eventTime"]))
        if at >= 0:
            recorder.add("kubelet", event["reason"], event.get("count", 1), event["message"][:120], seconds=at)


def figures(records: list[Record]) -> Figures:
    """The time between probes; for crash and hang, the time to restart and to ready, and the failed requests."""
    at = sorted(record.seconds for record in of(records, "probe", case=PROBED, name="/users-ms/healthcheck"))
    gaps = [later - earlier for earlier, later in itertools.pairwise(at)]
    probes = of(records, "probe", case=PROBED)
    found: Figures = {
        "probes": {
            "count": len(at),
            "gap": sum(gaps) / len(gaps) if gaps else 0.0,
            "least": min(gaps, default=0.0),
            "most": max(gaps, default=0.0),
            "milliseconds": percentile((probe.number for probe in probes), 0.5),
        }
    }
    for case in (CRASH, HUNG):
        marks = {record.name: record.seconds for record in of(records, "event", case=case)}
        harmed, requests = marks[HARMED], of(records, "request", case=case)
        bad = [request for request in requests if failed(request)]
        found[case] = {
            "restarted": marks[STARTED] - harmed,
            "ready": marks[READY] - harmed,
            "requests": len(requests),
            "failed": len(bad),
            "failed_until": max((request.seconds - harmed for request in bad), default=0.0),
            "slowest": max((request.number for request in requests), default=0.0),
            "given_up": next((r.seconds - harmed for r in of(records, "kubelet", case=case, name="Killing")), 0.0),
            "probe_said": any("Liveness" in record.note for record in of(records, "kubelet", case=case)),
        }
    return found


def report(figures: Figures) -> Report:
    """A probe every five seconds; crash and hang both end in a restart, the hang through the probe."""
    probes, crash, hang = figures["probes"], figures[CRASH], figures[HUNG]
    rows: list[list[object]] = [
        [
            case,
            f"{figures[case]['restarted']:.1f} s",
            f"{figures[case]['ready']:.1f} s",
            f"{figures[case]['failed']} of {figures[case]['requests']}",
            f"{figures[case]['failed_until']:.1f} s" if figures[case]["failed"] else "-",
            f"{figures[case]['slowest']:.0f} ms",
            "liveness probe" if figures[case]["probe_said"] else "end of the process",
        ]
        for case in (CRASH, HUNG)
    ]
    return Report(
        line=f"a probe every {probes['gap']:.1f} s; ready again {crash['ready']:.0f} s after a crash, "
        f"{hang['ready']:.0f} s after a hang",
        holds=abs(probes["gap"] - 5) < 0.3 and hang["probe_said"] and not crash["probe_said"],
        verdict=f"""the access log shows {probes["count"]} health checks in {LOOK_SECONDS} s, one every
        {probes["gap"]:.2f} s ({probes["least"]:.1f} to {probes["most"]:.1f} s), each answered in
        {probes["milliseconds"]:.1f} ms. A process that ends is restarted after {crash["restarted"]:.1f} s and
        gets requests after {crash["ready"]:.1f} s. One that hangs is detected by the probe, restarted after
        {hang["restarted"]:.1f} s and ready after {hang["ready"]:.1f} s.""",
        header=["", "restarted after", "ready after", "failed requests", "last one after", "slowest", "detected by"],
        rows=rows,
        notes=[
            f"""The kubelet gives up on the hung container after {hang["given_up"]:.1f} s: three probes in a row, 5 s
            apart, have to fail, each after 3 s. A graceful shutdown follows, which does not help a hung process: the
            preStop sleep of 10 s, and then gunicorn waits for its stopped worker. The total of
            {hang["restarted"]:.0f} s fits gunicorn's own timeout of 30 s, when it kills a hung worker.""",
            f"""Requests in the hung pod are not moved to another pod: {hang["failed"]} reached the clients' timeout of
            10 s, the last of them sent {hang["failed_until"]:.1f} s after the hang. After two failed readiness probes
            the pod is no longer ready, and the gateway learns that from DNS a few seconds later.""",
        ],
    )


def panels(records: list[Record], figures: Figures) -> list[Panel]:
    """The probes, and for crash and hang the answers and the state of the pod."""
    live = of(records, "probe", case=PROBED, name="/users-ms/healthcheck")
    ready = of(records, "probe", case=PROBED, name="/users-ms/ready")
    probes = [
        Series("liveness, /healthcheck", [r.seconds for r in live], [r.number for r in live], "crosses", BLUE),
        Series("readiness, /ready", [r.seconds for r in ready], [r.number for r in ready], "dots", ORANGE),
    ]
    drawn = [Panel("Probes in the access log of one pod", "seconds", "answered in ms", probes)]
    for case in (CRASH, HUNG):
        marks = [(at, SHORT[text]) for at, text in events(records, case)]
        requests = of(records, "request", case=case)
        last = max(record.seconds for record in of(records, "ready", case=case)) + 8
        state = [
            line(of(records, "ready", case=case), "ready", "step", GREEN),
            line(of(records, "restarts", case=case), "restarts", "step", RED),
        ]
        drawn += [
            Panel(
                f"{case}: requests through the gateway", "seconds", "per second", answers(requests), marks, x_max=last
            ),
            Panel(f"{case}: the pod", "seconds", "ready (1), restarts", state, marks, x_max=last, y_max=1.4),
        ]
    return drawn


EXPERIMENT = Experiment(
    name="liveness",
    title="Liveness: probes, a crash and a hang",
    question="How often is a pod probed, and how long after a crash or a hang does it serve requests again?",
    method=f"""The access log of one users-ms pod is read for {LOOK_SECONDS} s. Then the first process of one of the
    two pods gets SIGINT, on which gunicorn ends at once, as after a crash; and later the process that handles the
    requests gets SIGSTOP, as after a deadlock. Meanwhile three clients read a profile through the gateway. Restarts
    and readiness are read from the pod's status twice a second.""",
    needs=CLUSTER,
    run=run,
    figures=figures,
    report=report,
    panels=panels,
)
