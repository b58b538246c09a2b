"""The clock of a process that has this folder in PYTHONPATH is wrong by as many seconds as the file CLOCK_FILE says.

Python imports this module by its name (https://docs.python.org/3/library/site.html#module-sitecustomize). What measures
time that has passed (time.monotonic, time-outs) stays right, as when somebody sets the clock of a machine.
"""

import os
import threading
import time
from pathlib import Path

import time_machine

FILE = Path(os.environ["CLOCK_FILE"])
LOOKS_SECONDS = 0.02
_clock = time_machine.travel(time.time(), tick=True).start()


def _follow() -> None:
    wrong_by = 0.0
    while True:
        if (said := float(FILE.read_text())) != wrong_by:
            wrong_by = said
            _clock.move_to(time_machine.escape_hatch.time.time() + wrong_by)
        time.sleep(LOOKS_SECONDS)


def _begin() -> None:
    threading.Thread(target=_follow, daemon=True).start()


_begin()
os.register_at_fork(after_in_child=_begin)
