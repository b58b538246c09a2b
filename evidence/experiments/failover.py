"""Programs killed under load: what users notice, and what is lost."""

import time

import psycopg2

from evidence.chaos.injection import Chaos
from evidence.experiments import local_stack
from evidence.experiments.experiment import LOCAL, Experiment, Figures, Report
from evidence.harness.background import repeating
from evidence.harness.load import User, recorded, traffic
from evidence.harness.plots import BLUE, GREY, ORANGE, RED, Panel, Series, answers, events, line
from evidence.harness.records import Record, Recorder, failed, of, percentile
from evidence.harness.waiting import eventually

VICTIMS = ["notification-email-worker", "rabbitmq", "notification-db", "auth-db", "users-db"]
QUIET_SECONDS, EACH_SECONDS = 15, 25
SAMPLE_SECONDS = 1.0
KILLED = "kill -9 "
CASE = "under load"


def run(recorder: Recorder) -> None:
    """Load, and every 25 s the next victim; afterwards the events are counted."""
    with local_stack.started(recorder) as chaos:
        user = User(chaos.stack.gateway)
        chaos.stack.verify(user.email)  # only a verified address is notified of sign-ins
        user.sign_in()
        before = local_stack.last_event(chaos)
        recorder.case(CASE)
        calls = {"login": user.log_in, "profile": user.read_profile}
        with repeating(lambda: _sample(recorder, chaos, before), pause=SAMPLE_SECONDS):
            with traffic(calls, pause=0.2, on_answer=recorded(recorder)):
                time.sleep(QUIET_SECONDS)
                for victim in VICTIMS:
                    recorder.event(f"{KILLED}{victim}")
                    chaos.kill(victim)
                    time.sleep(EACH_SECONDS)
            recorder.event("load ends")
            _count(recorder, chaos, before)


def _sample(recorder: Recorder, chaos: Chaos, before: int) -> None:
    """Record how many accepted logins are not yet mailed; nothing while a database does not answer."""
    at = recorder.now()
    try:
        ids = local_stack.login_events(chaos, before)
        recorder.add("waiting", "events", len(ids) - chaos.mailed(ids), seconds=at)
    except psycopg2.Error as error:
        recorder.add("unseen", type(error).__name__, seconds=at)


def _count(recorder: Recorder, chaos: Chaos, before: int) -> None:
    ids = local_stack.login_events(chaos, before)
    try:
        eventually(lambda: chaos.mailed(ids) == len(ids), seconds=120)
    except AssertionError:
        recorder.event("not all mailed after 120 s")
    mails = chaos.mails_of([{"id": event_id} for event_id in ids])
    recorder.add("recorded", "login events", len(ids))
    recorder.add("told", "login events", chaos.mailed(ids))
    recorder.add("repeated", "mails", sum(count > 1 for count in mails))
    recorder.say(f"{len(ids)} login events recorded, {chaos.mailed(ids)} mailed")


def figures(records: list[Record]) -> Figures:
    """For each victim: failed requests, the time until the last of them, latency, events that waited."""
    marks = [record for record in of(records, "event") if record.name.startswith(KILLED)]
    end = max(record.seconds for record in of(records, "event"))
    ends = [*(mark.seconds for mark in marks[1:]), end]
    requests, waiting = of(records, "request"), of(records, "waiting")
    victims = {}
    for mark, until in zip(marks, ends, strict=True):
        during = [request for request in requests if mark.seconds <= request.seconds < until]
        bad = [request for request in during if failed(request)]
        latencies = [request.number for request in during if not failed(request)]
        victims[mark.name.removeprefix(KILLED)] = {
            "requests": len(during),
            "failed": len(bad),
            "failed_for": max((bad_one.seconds - mark.seconds for bad_one in bad), default=0.0),
            "p50": percentile(latencies, 0.5),
            "slowest": max(latencies, default=0.0),
            "most_waiting": max((each.number for each in waiting if mark.seconds <= each.seconds < until), default=0.0),
        }
    accepted = [request for request in requests if request.name == "login" and not failed(request)]
    found: Figures = {"victims": victims, "requests": len(requests), "accepted": len(accepted)}
    found["failed"] = sum(failed(request) for request in requests)
    for name in ("recorded", "told", "repeated"):
        found[name] = sum(int(record.value) for record in of(records, name))
    return found


def report(figures: Figures) -> Report:
    """No accepted login is lost; users notice only the databases that a request needs."""
    lost = figures["recorded"] - figures["told"]
    unneeded = [name for name in figures["victims"] if name not in ("auth-db", "users-db")]
    noticed = sum(figures["victims"][name]["failed"] for name in unneeded)
    return Report(
        line=f"{lost} of {figures['recorded']} accepted logins lost, {figures['failed']} of {figures['requests']} "
        f"requests failed, {noticed} of them for worker, broker or notification-db",
        holds=lost == 0 and noticed == 0 and figures["recorded"] >= figures["accepted"],
        verdict=f"""of {figures["recorded"]} logins that were accepted, {figures["told"]} were notified by email and
        {lost} lost. Killing worker, broker and notification-db failed {noticed} requests, because no request depends
        on them; killing auth-db and users-db failed {figures["failed"] - noticed}, until the process manager had
        restarted them.""",
        header=[
            "killed",
            "requests",
            "failed",
            "last failure after",
            "median",
            "slowest answer",
            "most events waiting",
        ],
        rows=_rows(figures),
        notes=[
            f"""Mails sent twice: {figures["repeated"]}. A worker killed between the answer of the mail server and its
            own record sends that one mail again with the same Message-ID; no consumer can prevent this. Recorded
            logins beyond those that the load client saw accepted: {figures["recorded"] - figures["accepted"]}.""",
            """Each program runs once here, as on a single server, so no replica could take over a failed request.
            The process manager restarts a killed program at once; the loss of a machine takes longer.""",
        ],
    )


def _rows(figures: Figures) -> list[list[object]]:
    return [
        [
            name,
            each["requests"],
            each["failed"],
            f"{each['failed_for']:.1f} s" if each["failed"] else "-",
            f"{each['p50']:.0f} ms",
            f"{each['slowest']:.0f} ms",
            f"{each['most_waiting']:.0f}",
        ]
        for name, each in figures["victims"].items()
    ]


def panels(records: list[Record], figures: Figures) -> list[Panel]:
    """Answers, latency and waiting events over time."""
    marks = events(records, CASE)
    last = max(seconds for seconds, _ in marks) + 3
    requests = of(records, "request")
    good = [request for request in requests if not failed(request)]
    bad = [request for request in requests if failed(request)]
    dots = [
        line([request for request in good if request.name == "profile"], "profile", "dots", BLUE),
        line([request for request in good if request.name == "login"], "login", "dots", ORANGE),
        Series("failed", [request.seconds for request in bad], [request.number for request in bad], "crosses", RED),
    ]
    seconds = "seconds"
    return [
        Panel("Requests", seconds, "requests per second", answers(requests), marks, x_max=last),
        Panel("Duration of each request", seconds, "milliseconds", dots, marks, y_logarithmic=True, x_max=last),
        Panel(
            "Accepted logins not yet mailed (no value while a database is down)",
            seconds,
            "events",
            [line(of(records, "waiting"), "", "line", GREY)],
            marks,
            x_max=last,
        ),
    ]


EXPERIMENT = Experiment(
    name="failover",
    title="Failover: worker, broker and databases killed under load",
    question="What do users notice, and what is lost, when a program is killed?",
    method=f"""Three clients sign in and read their profile through the gateway, with a pause of 0.2 s. Every
    {EACH_SECONDS} s one program and all its processes are killed with SIGKILL; the process manager restarts it.
    Afterwards the login events in the outbox of auth-ms are compared with the deliveries that notification-ms
    recorded and with the mails at the mail catcher. bcrypt runs at its lowest cost.""",
    needs=LOCAL,
    run=run,
    figures=figures,
    report=report,
    panels=panels,
)
