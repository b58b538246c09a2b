"""The observations of an experiment as rows of one CSV file, from which every figure is computed."""

import copy
import csv
import time
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock


@dataclass(frozen=True)
class Record:
    """One observation: its case, the seconds since the case began, its kind, name and value."""

    case: str
    seconds: float
    kind: str
    name: str
    value: str = ""
    note: str = ""

    @property
    def number(self) -> float:
        """The value as a number."""
        return float(self.value)


COLUMNS = [field.name for field in fields(Record)]


class Recorder:
    """Writes records while the experiment runs, and prints its progress."""

    def __init__(self, file: Path) -> None:
        self._lock = Lock()
        self._output = file.open("w", newline="")
        self._writer = csv.writer(self._output, lineterminator="\n")
        self._writer.writerow(COLUMNS)
        self._case, self._began, self._first = "", time.time(), time.time()

    def case(self, name: str) -> None:
        """Start a case and its clock; the records that follow belong to it."""
        self._case, self._began = name, time.time()
        self.say(name)

    def branch(self, name: str) -> "Recorder":
        """A recorder for a parallel case in the same file, with a clock of its own."""
        other = copy.copy(self)
        other.case(name)
        return other

    def now(self) -> float:
        """Seconds since the case began."""
        return time.time() - self._began

    def since_start(self, moment: float | datetime) -> float:
        """Seconds from the start of the case to a moment."""
        at = moment.timestamp() if isinstance(moment, datetime) else moment
        return at - self._began

    def add(self, kind: str, name: str, value: object = "", note: object = "", *, seconds: float | None = None) -> None:
        """Write one record; thread-safe."""
        at = self.now() if seconds is None else seconds
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
        with self._lock:
            self._writer.writerow(astuple(Record(self._case, round(at, 2), kind, name, text, str(note))))

    def event(self, text: str, *, seconds: float | None = None) -> None:
        """Record an event: a marker in the plot and a line on the terminal."""
        self.add("event", text, seconds=seconds)
        self.say(text)

    def say(self, text: str) -> None:
        """Print one line of progress."""
        print(f"  {time.time() - self._first:6.1f} s  {text}", flush=True)

    def close(self) -> float:
        """Close the file, and return the seconds that the experiment took."""
        took = time.time() - self._first
        with self._lock:
            self._writer.writerow(astuple(Record("", round(took, 2), "fact", "took", f"{took:.0f} s")))
            self._output.close()
        return took


def read(file: Path) -> list[Record]:
    """The records of a CSV file."""
    with file.open(newline="") as lines:
        rows = csv.DictReader(lines)
        return [Record(**row | {"seconds": float(row["seconds"])}) for row in rows]  # type: ignore[arg-type]


def of(records: Iterable[Record], kind: str, *, case: str | None = None, name: str | None = None) -> list[Record]:
    """The records of a kind, and if given of a case and a name."""
    return [
        record
        for record in records
        if record.kind == kind and case in (None, record.case) and name in (None, record.name)
    ]


def cases(records: Iterable[Record]) -> list[str]:
    """The cases in the order in which they ran."""
    return list(dict.fromkeys(record.case for record in records if record.case))


def facts(records: Iterable[Record]) -> dict[str, str]:
    """The facts of the machine and the run."""
    return {record.name: record.value for record in records if record.kind == "fact"}


def percentile(values: Iterable[float], share: float) -> float:
    """The value that a share of all values do not exceed; 0 without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def failed(request: Record) -> bool:
    """True when a recorded request was not answered with 2xx."""
    return not request.note.startswith("2")


def today(clock: str) -> float:
    """The Unix time of a clock like `12:00:01.123` (UTC) in a log of the last hours."""
    at = datetime.strptime(clock, "%H:%M:%S.%f").replace(tzinfo=UTC)
    now = datetime.now(UTC)
    moment = datetime.combine(now.date(), at.time(), UTC).timestamp()
    return moment if moment <= now.timestamp() + 60 else moment - 86400
