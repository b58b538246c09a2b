"""The table of faults that `make chaos` prints and writes."""

import os
from dataclasses import astuple, dataclass
from pathlib import Path

from evidence.harness.reports import page, table

HEADER = [
    "fault",
    "load during it",
    "requests (failed)",
    "failed, but done",
    "events",
    "events lost",
    "duplicates",
    "recovered after",
]
# By FAULTS_ON: the kind of target, and links to the other pages.
PAGES = {
    "": (
        "local processes",
        "[Containers](chaos-compose.md) are tested with some of these faults; pods too, with ON=cluster.",
    ),
    "compose": ("containers (Compose)", "[Local processes](chaos.md) are tested with more faults."),
    "cluster": ("pods (Kubernetes)", "[Local processes](chaos.md) are tested with more faults."),
}
INTRODUCTION = """# Fault injection: {what}

The faults that `make chaos` injected into a stack of {what}, and the outcome; the table is that of one run. {others}

- **load**: clients at the gateway that sign up, sign in, and sign in with a wrong password, until the stack recovers.
- **failed**: no answer, or a 5xx. **Failed, but done**: those of them whose change is in the database nevertheless; the
  client cannot know, and may repeat a sign-up with its `Idempotency-Key`.
- **events lost**: accepted changes that do not exist, and recorded events that were not notified over each of their
  channels. **Duplicates**: mails and text messages that were sent more than once.
- **recovered after**: from the end of the fault until a new user could sign up, sign in, and had received all mails.

No rejected change was made, and every change that was made has its event. Two exceptions are allowed: a password reset
is lost with the broker's data, because its token is deleted once it is published; and a mail is sent twice when a
worker is killed between the answer of the mail server and its own record, which no consumer can prevent.
[Operations](operations.md#faults) describes the symptoms of each fault, and what to do.
"""


@dataclass
class Row:
    """One fault and its outcome."""

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
