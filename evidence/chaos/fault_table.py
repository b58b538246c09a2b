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
        "[Containers](chaos-compose.md) meet a part of the same faults; pods, with ON=cluster, too.",
    ),
    "compose": ("containers (Compose)", "[Local processes](chaos.md) meet more of them."),
    "cluster": ("pods (Kubernetes)", "[Local processes](chaos.md) meet more of them."),
}
INTRODUCTION = """# Under fault: {what}

What `make chaos` has done to a stack of {what}, and what it found; the table is that of one run. {others}

- **load**: clients at the gateway who sign up, sign in and mistake the password, as long as fault and recovery take.
- **failed**: no answer, or one that says that a part is away. **Failed, yet done**: of these, what is in the database
  all the same; the client cannot know, and may repeat a sign-up with its `Idempotency-Key`.
- **events lost**: accepted and not there, or recorded and not told over each of its media, afterwards. **Duplicates**:
  mails and text messages that came more than once.
- **works again after**: from the end of the fault until a new user has signed up, signed in and had all its mails.

What was refused did not exist afterwards in any of these, and what existed had its event. Allowed, and no more than
that: a password reset is lost with the broker's data, because its token is forgotten once it is published; a mail comes
twice when a worker is killed between the mail server's answer and the record of it, which no consumer can close.
[Operations](operations.md#faults) says how each fault shows, and what to do.
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
