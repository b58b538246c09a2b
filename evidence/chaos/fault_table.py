"""The table that ends `make chaos`."""

import os
from dataclasses import astuple, dataclass
from pathlib import Path

from evidence.harness.reports import page, table

HEADER = [
    "fault",
    "load during it",
    "requests (failed)",
    "failed, yet done",
    "events",
    "events lost",
    "duplicates",
    "works again after",
]
# By where the stack runs: what it is made of, and the other pages.
PAGES = {
    "": (
        "local processes",
        "[Containers](chaos-compose.md) covers a part of the same faults; `ON=cluster` injects them into pods.",
    ),
    "compose": ("containers (Compose)", "[Local processes](chaos.md) covers more faults."),
    "cluster": ("pods (Kubernetes)", "[Local processes](chaos.md) covers more faults."),
}
INTRODUCTION = """# Fault injection: {what}

The faults that `make chaos` injected into a stack of {what}, and the results of one run. {others}

- **load**: clients at the gateway that sign up, sign in and mistype passwords during the fault and the recovery.
- **failed**: no answer, or an error from an unavailable dependency. **Failed, yet done**: the failed requests whose
  change was committed all the same; the client cannot know, and may repeat a sign-up with its `Idempotency-Key`.
- **events lost**: accepted but missing, or recorded but not notified over each of its channels. **Duplicates**:
  emails and text messages that were sent more than once.
- **works again after**: from the end of the fault until a new user has signed up, signed in and received all emails.

Afterwards, nothing that was rejected existed, and everything that existed had its event. Two exceptions are allowed:
a password reset is lost with the broker's data, because its token is deleted once it is published; an email is sent
twice when a worker is killed between the mail server's answer and the record of it, which no consumer can prevent.
[Operations](operations.md#faults) describes the symptoms and the remedy of each fault.
"""


@dataclass
class Row:
    """One fault, and what it did."""

    fault: str
    load: str
    requests: str
    done: str
    events: str
    lost: str
    duplicates: str
    recovered: str


def render(rows: list[Row]) -> list[str]:
    """The lines of a Markdown table with aligned columns."""
    return table(HEADER, [astuple(row) for row in rows], aligned=True)


def write(file: Path, lines: list[str], *, seed: int) -> None:
    """Write the table with its machine and date, for docs/chaos.md."""
    where = os.environ.get("FAULTS_ON", "")
    what, others = PAGES[where]
    command = f"make chaos SEED={seed}" + (f" ON={where}" if where else "")
    file.write_text(page(INTRODUCTION.format(what=what, others=others), lines, command=command))
