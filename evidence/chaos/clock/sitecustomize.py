"""Shift the clock of a process that has this folder in PYTHONPATH by the seconds in the file CLOCK_FILE.

Python imports this module by its name (https://docs.python.org/3/library/site.html#module-sitecustomize). Clocks
that measure durations (time.monotonic, timeouts) are unchanged, as when the clock of a machine is set.
"""

import os
import threading
import time
from pathlib import Path

import time_machine

FILE = Path(os.environ["CLOCK_FILE"])
POLL_SECONDS = 0.02
_clock = time_machine.travel(time.time(), tick=True).start()


def _follow() -> None:
    offset = 0.0
    while True:
        if (wanted := float(FILE.read_text())) != offset:
            offset = wanted
            _clock.move_to(time_machine.escape_hatch.time.time() + offset)
        time.sleep(POLL_SECONDS)


def _begin() -> None:
    threading.Thread(target=_follow, daemon=True).start()


_begin()
os.register_at_fork(after_in_child=_begin)
