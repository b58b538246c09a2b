"""Several workers share one queue: each message is delivered to one of them."""

import re
from collections import Counter
from pathlib import Path

from evidence.chaos.injection import Chaos
from evidence.experiments import local_stack
from evidence.experiments.experiment import LOCAL, Experiment, Figures, Report
from evidence.harness.plots import Panel, Series
from evidence.harness.records import Record, Recorder, cases, of, today
from evidence.harness.waiting import eventually

WORKERS = [1, 2, 3, 4]
LOGINS = 300
SEND_SECONDS = 0.05
HANDLED = re.compile(r"^(\d\d:\d\d:\d\d\.\d{3}) .*delivery finished.*event_id=(\S+)", re.MULTILINE)


def run(recorder: Recorder) -> None:
    """The same number of logins for each number of workers."""
    with local_stack.started(recorder) as chaos:
        for count in WORKERS:
            with chaos.workers([SEND_SECONDS] * count) as logs:
                recorder.case(f"{count} worker{'s' if count > 1 else ''}")
                _log_in(recorder, chaos, logs)


def _log_in(recorder: Recorder, chaos: Chaos, logs: list[Path]) -> None:
    before = local_stack.last_event(chaos)
    with chaos.logins(LOGINS) as logins:
        pass
    accepted = sum(login.result() == 200 for login in logins)
    recorder.event(f"{accepted} logins accepted")
    ids = local_stack.login_events(chaos, before)
    eventually(lambda: chaos.mailed(ids) == len(ids), seconds=120)
    recorder.event("all mails sent")
    names = {event_id: f"login {number}" for number, event_id in enumerate(ids)}
    for name in names.values():
        recorder.add("accepted", name)
    for number, log in enumerate(logs, start=1):
        for clock, event_id in HANDLED.findall(log.read_text()):
            if event_id in names:
                at = recorder.since_start(today(clock))
                recorder.add("handled", names[event_id], f"worker {number}", seconds=at)
    for event_id, count in zip(ids, chaos.mails_of([{"id": event_id} for event_id in ids]), strict=True):
        recorder.add("mails", names[event_id], count)


def figures(records: list[Record]) -> Figures:
    """For each number of workers: how many messages each handled, and how often each login was mailed."""
    found: Figures = {}
    for case in cases(records):
        handled = of(records, "handled", case=case)
        shares = Counter(record.value for record in handled)
        mails = [int(record.value) for record in of(records, "mails", case=case)]
        even = len(handled) / len(shares) if shares else 0
        found[case] = {
            "logins": len(of(records, "accepted", case=case)),
            "shares": [shares[name] for name in sorted(shares)],
            "mailed_once": mails.count(1),
            "repeated": sum(count > 1 for count in mails),
            "missing": mails.count(0),
            "handled_twice": len(handled) - len({record.name for record in handled}),
            "furthest_from_even": max((abs(share / even - 1) for share in shares.values()), default=0.0),
            "seconds": max((record.seconds for record in handled), default=0.0),
        }
    return found


def report(figures: Figures) -> Report:
    """Shares within 15 % of even, and each login mailed once."""
    once = all(each["mailed_once"] == each["logins"] and not each["handled_twice"] for each in figures.values())
    furthest = max(each["furthest_from_even"] for each in figures.values())
    total = sum(each["logins"] for each in figures.values())
    rows: list[list[object]] = [
        [
            case,
            each["logins"],
            " / ".join(map(str, each["shares"])),
            f"{100 * each['furthest_from_even']:.0f} %",
            each["mailed_once"],
            each["repeated"],
            each["missing"],
            f"{each['seconds']:.1f} s",
        ]
        for case, each in figures.items()
    ]
    mailed = f"of {total} logins {sum(each['mailed_once'] for each in figures.values())} were mailed exactly once"
    return Report(
        line=f"{mailed}; no worker's share was more than {100 * furthest:.0f} % from even",
        holds=once and furthest <= 0.15,
        verdict=f"{mailed}, and no worker handled more than {100 * furthest:.0f} % above or below an even share.",
        header=[
            "",
            "logins",
            "handled by each",
            "furthest from even",
            "mailed once",
            "repeated",
            "missing",
            "until the last",
        ],
        rows=rows,
    )


def panels(records: list[Record], figures: Figures) -> list[Panel]:
    """Bars of the shares, and their growth over time for the most workers."""
    most = max(len(each["shares"]) for each in figures.values())
    names = list(figures)
    bars = [
        Series(
            f"worker {number + 1}",
            names,
            [each["shares"][number] if number < len(each["shares"]) else float("nan") for each in figures.values()],
            "bar",
        )
        for number in range(most)
    ]
    lines = []
    for number in range(most):
        mine = [
            record.seconds
            for record in of(records, "handled", case=names[-1])
            if record.value.endswith(str(number + 1))
        ]
        lines.append(Series(f"worker {number + 1}", sorted(mine), [float(n + 1) for n in range(len(mine))], "step"))
    return [
        Panel("Messages handled by each worker", "workers on the queue", "messages", bars),
        Panel(
            f"Growth of the shares, {names[-1]}",
            "seconds since the first login",
            "messages handled so far",
            lines,
            events=[(record.seconds, record.name) for record in of(records, "event", case=names[-1])],
        ),
    ]


EXPERIMENT = Experiment(
    name="queue-sharing",
    title="Queue sharing: N workers, one queue",
    question="When several workers consume one queue, does each message reach exactly one of them, and do they share "
    "evenly?",
    method=f"""For each number of email workers (one process each), {LOGINS} real logins, four at a time. Sending a
    mail is delayed by {SEND_SECONDS} s, so that there is work to share. The workers' logs show which worker handled a
    message; the mail catcher counts the mails by Message-ID. bcrypt runs at its lowest cost, so that the queue is the
    bottleneck.""",
    needs=LOCAL,
    run=run,
    figures=figures,
    report=report,
    panels=panels,
)
