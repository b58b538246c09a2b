"""The release of a broken version, its detection and its rollback. Shared by two experiments."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from evidence.experiments import on_cluster
from evidence.experiments.experiment import Figures
from evidence.harness.load import Answer, User, recorded, traffic
from evidence.harness.plots import Panel, Series, answers, events
from evidence.harness.records import Record, Recorder, cases, failed, of
from tools.deployment import releases
from tools.deployment.kubernetes import kubectl

SERVICE, BROKEN_VERSION = "users-ms", "experiment-broken"
PODS = 3
ROLLING = "rolling update"
# The same operator for each way: notices when over 2 % of the requests of 5 s failed, and acts 10 s later.
NOTICED_SHARE, NOTICED_SECONDS, ACTS_AFTER_SECONDS, LOOKS_FOR_SECONDS = 0.02, 5.0, 10.0, 60.0
TAKEN_BACK = ("undo", "abort")  # the last words of the rollback commands
METHOD = f"""users-ms is held at {PODS} pods. The new version is the running image with a defect that no probe
detects: it answers every second request with 500, except for health checks (broken/). Three clients
read a profile through the gateway, with a pause of 0.1 s. The same rule applies to every way of
releasing, so that they can be compared: the defect counts as noticed when more than
{100 * NOTICED_SHARE:.0f} % of the requests of {NOTICED_SECONDS:.0f} s failed, and {ACTS_AFTER_SECONDS:.0f} s later the
version is rolled back with the command of that way."""


class Watch:
    """The answers to the clients, and whether an operator would notice the failures."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder, self._record = recorder, recorded(recorder)
        self._seen: deque[tuple[float, bool]] = deque(maxlen=2000)

    def note(self, answer: Answer) -> None:
        """Record an answer."""
        self._record(answer)
        self._seen.append((time.monotonic(), answer.is_good))

    def notice(self) -> None:
        """Wait until the failures would be noticed, for at most a minute, and then until the operator acts."""
        deadline = time.monotonic() + LOOKS_FOR_SECONDS
        while time.monotonic() < deadline:
            since = time.monotonic() - NOTICED_SECONDS
            lately = [ok for at, ok in list(self._seen) if at > since]
            if lately and lately.count(False) > max(2, NOTICED_SHARE * len(lately)):
                self.recorder.event("noticed")
                time.sleep(ACTS_AFTER_SECONDS)
                return
            time.sleep(0.2)
        self.recorder.event("nothing noticed")


@contextmanager
def prepared(recorder: Recorder) -> Iterator[tuple[User, str]]:
    """A user, and the broken image on the nodes; restores users-ms afterwards."""
    user = User(on_cluster.ready()["GATEWAY_URL"])
    with on_cluster.image_kept(SERVICE) as before, on_cluster.fixed_at(SERVICE, PODS):
        recorder.say("building the broken version")
        yield user, on_cluster.build(BROKEN_VERSION, before, broken=True)


def release(recorder: Recorder, user: User, case: str, way: Callable[[Watch], None]) -> None:
    """Release in one way under load."""
    user.sign_in()
    recorder.case(case)
    watch = Watch(recorder)
    with traffic({"profile": user.read_profile}, pause=0.1, on_answer=watch.note):
        time.sleep(10)
        way(watch)
        time.sleep(10)


def roll(watch: Watch) -> None:
    """A plain rolling update, and its rollback by another."""
    before = on_cluster.image(SERVICE)
    watch.recorder.event("new version")
    on_cluster.set_image(SERVICE, f"{before.rpartition(':')[0]}:{BROKEN_VERSION}")
    watch.notice()
    watch.recorder.event("rollout undo")
    kubectl("rollout", "undo", f"deployment/{SERVICE}-deployment")
    on_cluster.rolled_out(SERVICE)
    watch.recorder.event("old version everywhere")


def step(watch: Watch, way: str, step_name: str, text: str, *, weight: int = releases.WEIGHT) -> None:
    """One step of `make canary-...` or `make blue-green-...`."""
    watch.recorder.event(text)
    releases.run(way, step_name, SERVICE, version=BROKEN_VERSION, weight=weight)


def figures(records: list[Record]) -> Figures:
    """For each way: failed requests, the share of the worst five seconds, and how long users saw failures."""
    found: Figures = {}
    for case in cases(records):
        marks = {record.name: record.seconds for record in of(records, "event", case=case)}
        requests_sent = of(records, "request", case=case)
        bad = [request for request in requests_sent if failed(request)]
        acted = next((seconds for name, seconds in marks.items() if name.endswith(TAKEN_BACK)), None)
        found[case] = {
            "requests": len(requests_sent),
            "failed": len(bad),
            "worst": _worst(requests_sent),
            "failing_for": bad[-1].seconds - bad[0].seconds if bad else 0.0,
            "noticed_after": marks["noticed"] - bad[0].seconds if bad and "noticed" in marks else None,
            "went_on_for": bad[-1].seconds - acted if bad and acted is not None else None,
            "checks_failed": next((record.value for record in of(records, "preview", case=case)), None),
        }
    return found


def _worst(requests_sent: list[Record]) -> float:
    """The largest share of failed requests within five seconds."""
    worst = 0.0
    for start in range(int(max((request.seconds for request in requests_sent), default=0))):
        within = [failed(request) for request in requests_sent if start <= request.seconds < start + NOTICED_SECONDS]
        worst = max(worst, sum(within) / len(within) if within else 0.0)
    return worst


HEADER = [
    "",
    "failed requests",
    "worst five seconds",
    "users saw failures for",
    "noticed after the first",
    "continued after the command",
]


def rows(found: Figures) -> list[list[object]]:
    """The table of both reports."""
    return [
        [
            case,
            f"{each['failed']} of {each['requests']} ({100 * each['failed'] / each['requests']:.1f} %)",
            f"{100 * each['worst']:.0f} %",
            f"{each['failing_for']:.0f} s" if each["failed"] else "-",
            seconds(each["noticed_after"]),
            seconds(each["went_on_for"]),
        ]
        for case, each in found.items()
    ]


def seconds(value: float | None) -> str:
    """Seconds as a cell of the table."""
    return "-" if value is None else f"{value:.1f} s"


def panels(records: list[Record], found: Figures) -> list[Panel]:
    """For each way the answers over time; below, all ways beside each other."""
    drawn = []
    longest = max(request.seconds for request in of(records, "request"))
    for case in cases(records):
        series = answers(of(records, "request", case=case))
        marks = events(records, case)
        drawn.append(Panel(case, "seconds", "requests per second", series, marks, x_max=longest))
    bars = Series("", list(found), [float(each["failed"]) for each in found.values()], "bar", "#c62828")
    drawn.append(Panel("Failed requests until the rollback", "", "requests", [bars]))
    return drawn
