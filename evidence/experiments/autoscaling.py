"""The autoscaler under load: without CPU requests, with them, and under logins."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from evidence.experiments import on_cluster
from evidence.experiments.experiment import CLUSTER, Experiment, Figures, Report
from evidence.harness.background import repeating
from evidence.harness.plots import BLUE, GREEN, ORANGE, Panel, Series, events, line
from evidence.harness.records import Record, Recorder, cases, of
from evidence.harness.waiting import eventually
from local.paths import ROOT
from tools.deployment.kubernetes import kubectl
from tools.environments import ENVIRONMENTS

WITHOUT, WITH, LOGINS = "without CPU requests", "with CPU requests", "logins"
WITHOUT_SECONDS, BURN_SECONDS, LOGIN_SECONDS = 75, 120, 100
DOWN_SECONDS = 300
BURNERS = 24
TOO_MANY_LOGINS = """Locust's threshold was missed by the logins: two cores cannot hash as many, and more pods do not
help with that. More cores do."""
SAMPLE_SECONDS = 2.0


def run(recorder: Recorder) -> None:
    """Three loads one after the other; the scale-down after the second continues during the third."""
    addresses = on_cluster.ready()
    _rest("users-ms")
    _without_requests(recorder, addresses)
    eventually(lambda: _seen("users-ms")["used"] is not None, seconds=120)
    _rest("users-ms")
    recorder.case(WITH)
    with _watched(recorder, "users-ms"):
        time.sleep(10)
        _burn(recorder, addresses, BURN_SECONDS)
        _sign_in(recorder.branch(LOGINS), addresses)  # meanwhile users-ms scales down
        eventually(lambda: _seen("users-ms")["there"] == on_cluster.FEWEST, seconds=DOWN_SECONDS)
        recorder.event("two pods again")


def _sign_in(recorder: Recorder, addresses: dict[str, str]) -> None:
    with _watched(recorder, "auth-ms"):
        time.sleep(10)
        options = ["--users", "12", "--tags", "login"]
        _send(recorder, "logins", options, {"LOCUST_HOST": addresses["GATEWAY_URL"]}, LOGIN_SECONDS)
        time.sleep(10)


def _without_requests(recorder: Recorder, addresses: dict[str, str]) -> None:
    """As in the original: no CPU requests. A limit counts as a request, so it is removed too."""
    before = on_cluster.deployment("users-ms")["spec"]["template"]["spec"]["containers"][0]["resources"]
    nothing = {"requests": {"cpu": None}, "limits": {"cpu": None}}
    _patch_resources(nothing)
    try:
        on_cluster.rolled_out("users-ms")
        recorder.case(WITHOUT)
        with _watched(recorder, "users-ms"):
            time.sleep(10)
            _burn(recorder, addresses, WITHOUT_SECONDS)
            _record_condition(recorder)
    finally:
        _patch_resources({kind: {"cpu": before[kind]["cpu"]} for kind in ("requests", "limits")})
        on_cluster.rolled_out("users-ms")


def _patch_resources(resources: dict[str, Any]) -> None:
    containers = [{"name": "app", "resources": resources}]
    on_cluster.patch("deployment", "users-ms", {"spec": {"template": {"spec": {"containers": containers}}}})


def _record_condition(recorder: Recorder) -> None:
    """The condition by which the autoscaler explains why it does not scale."""
    found = json.loads(kubectl("get", "hpa/users-ms-deployment", "--output=json").stdout)
    for condition in found["status"]["conditions"]:
        if condition["type"] == "ScalingActive":
            recorder.add("condition", condition["reason"], condition["status"], condition["message"])
    recorder.add("metrics-server", "measured", _millicores("users-ms"), "the CPU itself is known")


def _rest(name: str) -> None:
    """Wait until the autoscaler is back at the fewest pods."""
    eventually(lambda: _seen(name)["there"] == on_cluster.FEWEST, seconds=DOWN_SECONDS)


def _burn(recorder: Recorder, addresses: dict[str, str], seconds: int) -> None:
    users = addresses["USERS_URL"]
    _send(
        recorder,
        "load",
        ["--users", str(BURNERS), "--tags", "cpu"],
        {"USERS_URL": users, "LOCUST_HOST": users},
        seconds,
    )


def _send(recorder: Recorder, what: str, options: list[str], variables: dict[str, str], seconds: int) -> None:
    """Locust on this machine, for a bounded time."""
    command = [str(ENVIRONMENTS["experiments"] / "bin" / "locust"), "--headless", "--only-summary", "--spawn-rate=20"]
    command += ["--locustfile=loadtest/locustfile.py", f"--run-time={seconds}s", *options]
    recorder.event(f"{what} begins")
    done = subprocess.run(command, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True)
    recorder.event(f"{what} ends")
    summary = next((row for row in done.stdout.splitlines() + done.stderr.splitlines() if " % failed" in row), "")
    recorder.add("locust", "summary", done.returncode, summary)
    recorder.say(summary)


@contextmanager
def _watched(recorder: Recorder, name: str) -> Iterator[None]:
    """Within the block, record the metrics and the decisions of a service's autoscaler."""

    printed = None

    def watch() -> None:
        nonlocal printed
        at, seen = recorder.now(), _seen(name)
        if (seen["wanted"], seen["ready"]) != printed:
            recorder.say(f"{name}: wanted {seen['wanted']}, ready {seen['ready']}, CPU {seen['used']} % of requests")
            printed = seen["wanted"], seen["ready"]
        for what in ("wanted", "there", "ready", "used", "target"):
            if seen[what] is not None:
                recorder.add(what, name, seen[what], seconds=at)
        recorder.add("millicores", name, _millicores(name), seconds=at)

    with repeating(watch, pause=SAMPLE_SECONDS):
        yield


def _seen(name: str) -> dict[str, int | None]:
    found = json.loads(kubectl("get", f"hpa/{name}-deployment", "--output=json").stdout)
    status, metrics = found["status"], found["status"].get("currentMetrics") or [{}]
    ready = on_cluster.deployment(name)["status"].get("readyReplicas", 0)
    return {
        "wanted": status.get("desiredReplicas"),
        "there": status.get("currentReplicas"),
        "ready": ready,
        "used": metrics[0].get("resource", {}).get("current", {}).get("averageUtilization"),
        "target": found["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"],
    }


def _millicores(name: str) -> int:
    """The CPU of all pods of a program by metrics-server; 0 while it has no measurement."""
    done = kubectl("top", "pods", "--no-headers", f"--selector=app.kubernetes.io/name={name}", check=False)
    return sum(int(row.split()[1].removesuffix("m")) for row in done.stdout.splitlines() if row.split()[1:])


def figures(records: list[Record]) -> Figures:
    """For each load: the most pods, when the first was added and answered, and when all had gone again."""
    found: Figures = {}
    for case in cases(records):
        marks = {name: seconds for seconds, name in events(records, case)}
        begins = next(seconds for name, seconds in marks.items() if name.endswith("begins"))
        ends = next(seconds for name, seconds in marks.items() if name.endswith("ends"))
        wanted, ready = of(records, "wanted", case=case), of(records, "ready", case=case)
        used = of(records, "used", case=case)
        fewest = int(ready[0].number)
        found[case] = {
            "most_wanted": max(int(record.number) for record in wanted),
            "most_ready": max(int(record.number) for record in ready),
            "fewest": fewest,
            "wanted_after": _first(wanted, fewest, begins),
            "ready_after": _first(ready, fewest, begins),
            "down_after": marks["two pods again"] - ends if "two pods again" in marks else None,
            "most_used": max((int(record.number) for record in used), default=None),
            "seen_share": len(used) / len(wanted),
            "millicores": max((record.number for record in of(records, "millicores", case=case)), default=0),
            "requests": next((record.note for record in of(records, "locust", case=case)), ""),
            "condition": next((f"{record.name}: {record.note}" for record in of(records, "condition", case=case)), ""),
        }
    return found


def _first(records: list[Record], above: int, begins: float) -> float | None:
    """Seconds from the beginning of the load to the first number above."""
    return next((record.seconds - begins for record in records if record.number > above), None)


def report(figures: Figures) -> Report:
    """No scaling without CPU requests; with them, up and down again; and logins scale auth-ms up."""
    without, with_them, logins = figures[WITHOUT], figures[WITH], figures[LOGINS]
    holds = without["most_wanted"] == without["fewest"] and not without["most_used"]
    holds = holds and with_them["ready_after"] is not None and with_them["down_after"] is not None
    holds = holds and logins["ready_after"] is not None
    return Report(
        line=f"without CPU requests {without['fewest']} to {without['most_ready']} pods, with them "
        f"{with_them['fewest']} to {with_them['most_ready']} after {_seconds(with_them['ready_after'])} and back, "
        f"auth-ms {logins['fewest']} to {logins['most_ready']} under logins",
        holds=holds,
        verdict=f"""without CPU requests the autoscaler sees no utilization and stays at {without["fewest"]} pods,
        although the pods use {without["millicores"]:.0f}m; its own condition says so (below). With requests the same
        load brings {with_them["most_ready"]} pods, the first more of them ready after
        {_seconds(with_them["ready_after"])}, and {with_them["fewest"]} again {_seconds(with_them["down_after"])}
        after its end. Logins bring {logins["most_ready"]} pods of auth-ms, because most of the CPU time of an
        account service is password hashing.""",
        header=[
            "load",
            "service",
            "CPU of requests, most",
            "CPU, most",
            "pods",
            "more wanted after",
            "more ready after",
            "back after",
        ],
        rows=_rows(figures),
        notes=_notes(figures),
    )


def _rows(figures: Figures) -> list[list[object]]:
    return [
        [
            case,
            "auth-ms" if case == LOGINS else "users-ms",
            "unknown" if each["most_used"] is None else f"{each['most_used']} %",
            f"{each['millicores']:.0f}m",
            f"{each['fewest']} to {each['most_ready']}",
            _seconds(each["wanted_after"]),
            _seconds(each["ready_after"]),
            _seconds(each["down_after"]) if case == WITH else "not waited for",
        ]
        for case, each in figures.items()
    ]


def _notes(figures: Figures) -> list[str]:
    without = figures[WITHOUT]
    return [
        f"""**Why the original did not scale.** The autoscaler's condition without requests:
        `{without["condition"]}`. A target in percent is a share of what pods request, so it is undefined without a
        request; a CPU limit would also do, since it counts as a request where none is given. The second cause of the
        original, a metrics-server that returned nothing until the kubelet's housekeeping interval was shortened, is a
        setting of the node and not shown here: the metrics-server of this cluster measured
        {without["millicores"]:.0f}m meanwhile.""",
        """All loads share two cores with the pods, so more pods do not serve more requests here. On several nodes
        they would.""",
        *(f"Locust, {case}: {each['requests']}." for case, each in figures.items()),
        *([TOO_MANY_LOGINS] if "FAILED" in figures[LOGINS]["requests"] else []),
    ]


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.0f} s"


def panels(records: list[Record], figures: Figures) -> list[Panel]:
    """For each load the CPU that the autoscaler sees, and the pods that it wants and has."""
    drawn = []
    for case in cases(records):
        marks, service = events(records, case), "auth-ms" if case == LOGINS else "users-ms"
        last = max([*(record.seconds for record in of(records, "wanted", case=case)), *(at for at, _ in marks)])
        used = line(of(records, "used", case=case), "seen by the HPA", "line", ORANGE)
        target = line(of(records, "target", case=case), "target", "dashed", "#757575")
        if not used.x:
            used = Series("seen: unknown", [], [], "line", ORANGE)
        seconds = "seconds"
        drawn += [
            Panel(f"{service}, {case}: CPU", seconds, "% of requests", [used, target], marks, x_max=last),
            Panel(
                f"{service}, {case}: pods",
                seconds,
                "pods",
                [
                    line(of(records, "wanted", case=case), "wanted", "step", BLUE),
                    line(of(records, "ready", case=case), "ready", "step", GREEN),
                ],
                marks,
                x_max=last,
                y_max=6,
            ),
        ]
    return drawn


EXPERIMENT = Experiment(
    name="autoscaling",
    title="Autoscaling: without CPU requests, with them, and under logins",
    question="When does the autoscaler add and remove pods, and why did it do nothing at first?",
    method=f"""Locust (`loadtest/locustfile.py`) sends {BURNERS} users to `GET /users-ms/load-test?n=24` at
    users-ms's node port, first for {WITHOUT_SECONDS} s with the CPU requests and limits of users-ms removed, then
    for {BURN_SECONDS} s as it is installed; then 12 users sign in through the gateway for {LOGIN_SECONDS} s (bcrypt
    as installed), while users-ms scales down. Every two seconds the autoscaler's status, the ready pods and `kubectl
    top` are recorded.""",
    needs=CLUSTER,
    run=run,
    figures=figures,
    report=report,
    panels=panels,
    columns=2,
)
