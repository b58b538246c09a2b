"""Every program is killed and paused, and all are restarted: nothing is lost. Run by `make chaos`.

On local processes, on containers (ON=compose) and on pods (ON=cluster).
"""

import pytest

from evidence.chaos.processes import PROGRAMS, pause

KILLS = 2
STOPPED_SECONDS = 4.0
# A kill between the answer of the mail server and its record, which no consumer can prevent.
WINDOWS = {"notification-email-worker": KILLS, "notification-sms-worker": KILLS}
QUICK = {"notification-email-worker", "auth-outbox-relay", "auth-db"}


def each_program(quick):
    return [pytest.param(program, marks=[pytest.mark.quick] if program in quick else []) for program in PROGRAMS]


@pytest.mark.parametrize("program", each_program(QUICK))
def test_a_process_is_killed(targets, under_load, program):
    with under_load(f"kill -9 {program}", duplicates_allowed=WINDOWS.get(program, 0)) as run:
        for _ in range(KILLS):
            targets.kill(program)
            run.recovers()
            pause(run.chance.uniform(0, 1))


@pytest.mark.parametrize("program", each_program({"auth-ms"}))
def test_a_process_is_stopped_and_continues(targets, under_load, program):
    with under_load(f"SIGSTOP {program}, {STOPPED_SECONDS:.0f} s") as run:
        with targets.paused(program):
            pause(STOPPED_SECONDS)
        run.recovers()


def test_everything_is_killed_in_random_order(targets, under_load):
    with under_load("kill -9 everything, random order", duplicates_allowed=2) as run:
        order = run.chance.sample(PROGRAMS, len(PROGRAMS))
        print(f"\n{', '.join(order)}")
        for program in order:
            targets.kill(program)
            pause(run.chance.uniform(0, 1.5))
        run.recovers()


def test_everything_is_restarted_in_random_order(stack, targets, under_load):
    with under_load("stop and start of everything, random order") as run:
        for program in run.chance.sample(PROGRAMS, len(PROGRAMS)):
            stack.stop(program)
        for program in (order := run.chance.sample(PROGRAMS, len(PROGRAMS))):
            targets.start(program)
        print(f"\nstarted: {', '.join(order)}")
        run.recovers()
