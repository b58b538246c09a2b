"""How much faster a queue drains with more workers."""

from datetime import datetime

import psycopg2
from kombu import Connection

from evidence.chaos.injection import Chaos
from evidence.experiments import local_stack
from evidence.experiments.experiment import LOCAL, Experiment, Figures, Report
from evidence.harness.messages import a_login_event, publish
from evidence.harness.plots import Panel, Series
from evidence.harness.records import Record, Recorder, cases, of
from evidence.harness.waiting import eventually

WORKERS = [1, 2, 4, 8]
SLOW = 0.25
WARM_UP = 3  # messages for each worker before its measurement, so that connections are open
MESSAGES = {SLOW: 120, 0.0: 400}  # by the seconds that a sending takes longer


def run(recorder: Recorder) -> None:
    """For a slow sender and for one that takes no time, each number of workers."""
    with local_stack.started(recorder) as chaos:
        for delay, messages in MESSAGES.items():
            for count in WORKERS:
                with chaos.workers([delay] * count):
                    _publish(chaos, WARM_UP * count)
                    recorder.case(f"{delay:g} s, {count}")
                    _drain(recorder, chaos, messages)


def _drain(recorder: Recorder, chaos: Chaos, messages: int) -> None:
    ids = _publish(chaos, messages)
    numbers = {event_id: number for number, event_id in enumerate(ids)}
    for event_id, sent_at in _sent(chaos, ids):
        recorder.add("sent", f"message {numbers[event_id]}", seconds=recorder.since_start(sent_at))
    recorder.say(f"{messages} messages drained")


def _publish(chaos: Chaos, messages: int) -> list[str]:
    """Publish login events, and return when all are mailed."""
    ids = []
    url = chaos.stack.broker_url_of("auth-outbox-relay")
    with Connection(url, transport_options={"confirm_publish": True}) as connection:
        channel = connection.channel()
        for _ in range(messages):
            event = a_login_event()
            ids.append(event["id"])
            publish(channel, event)
    eventually(lambda: chaos.mailed(ids) == len(ids), seconds=240)
    return ids


def _sent(chaos: Chaos, ids: list[str]) -> list[tuple[str, datetime]]:
    with psycopg2.connect(chaos.layout.database_url("notification")) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT event_id::text, sent_at FROM deliveries_delivery"
            " WHERE event_id = ANY(%s::uuid[]) AND medium = 'email' ORDER BY sent_at",
            [ids],
        )
        return [(str(event_id), sent_at) for event_id, sent_at in cursor.fetchall()]


def figures(records: list[Record]) -> Figures:
    """Drain time, rate and speed-up against one worker, by delay and number of workers."""
    found: Figures = {}
    for case in cases(records):
        delay, _, count = case.partition(" s, ")
        sent = [record.seconds for record in of(records, "sent", case=case)]
        seconds = max(sent, default=0.0)
        rows = found.setdefault(delay, {})
        rows[int(count)] = {"messages": len(sent), "seconds": seconds, "rate": len(sent) / seconds if seconds else 0.0}
        rows[int(count)]["speed_up"] = rows[int(count)]["rate"] / (rows[1]["rate"] or 1)
    return found


def report(figures: Figures) -> Report:
    """A slow sender scales with the workers; a fast one with the cores only."""
    slow = figures[max(figures, key=float)]
    fast = figures[min(figures, key=float)]
    most = max(slow)
    best = max(fast.values(), key=lambda each: each["speed_up"])["speed_up"]
    gain, fast_gain = slow[most]["speed_up"], fast[most]["speed_up"]
    rows: list[list[object]] = [
        [
            f"{delay} s",
            count,
            each["messages"],
            f"{each['seconds']:.1f} s",
            f"{each['rate']:.1f} /s",
            f"{each['speed_up']:.2f}",
        ]
        for delay, by_count in figures.items()
        for count, each in by_count.items()
    ]
    return Report(
        line=f"{most} workers drain a slow sender's queue {gain:.1f} times as fast as one, a fast sender's "
        f"{fast_gain:.1f} times",
        holds=gain >= 0.7 * most and best < most / 2,
        verdict=f"""where sending takes {max(figures, key=float)} s, {most} workers are {gain:.1f} times as fast as
        one ({100 * gain / most:.0f} % of the ideal), because they wait in parallel. Where it takes no time, the
        processors are the limit: at best {best:.1f} times one worker. More workers help with a slow provider, not on
        a saturated machine.""",
        header=["a mail takes longer by", "workers", "messages", "drained in", "rate", "speed-up"],
        rows=rows,
    )


def panels(records: list[Record], figures: Figures) -> list[Panel]:
    """The speed-up curves beside the ideal, and the drains over time."""
    curves = [
        Series(f"{delay} s slower", [float(n) for n in rows], [each["speed_up"] for each in rows.values()], "marked")
        for delay, rows in figures.items()
    ]
    counts = [float(count) for count in next(iter(figures.values()))]
    drains = []
    slow = max(figures, key=float)
    for count in counts:
        sent = sorted(record.seconds for record in of(records, "sent", case=f"{slow} s, {count:.0f}"))
        left = [float(len(sent) - number - 1) for number in range(len(sent))]
        drains.append(
            Series(f"{count:.0f} worker{'s' if count > 1 else ''}", [0.0, *sent], [float(len(sent)), *left], "step")
        )
    return [
        Panel(
            "Speed-up against one worker",
            "workers",
            "times as fast",
            [*curves, Series("ideal", counts, counts, "dashed", "#757575")],
            x_ticks=counts,
        ),
        Panel(
            f"Messages left, each sending {slow} s slower", "seconds since the first was published", "messages", drains
        ),
    ]


EXPERIMENT = Experiment(
    name="consumer-scaling",
    title="Consumer scaling: drain time against the number of workers",
    question="How much faster is a full queue drained by more workers?",
    method=f"""{MESSAGES[SLOW]} login events are published at once, and mailed by 1, 2, 4 and 8 email workers (one
    process each) to which SEND_DELAY_SECONDS={SLOW} simulates a slow provider; then {MESSAGES[0.0]} without that
    delay. A message is done when its delivery is recorded as sent (`sent_at` in notification-db).""",
    needs=LOCAL,
    run=run,
    figures=figures,
    report=report,
    panels=panels,
)
