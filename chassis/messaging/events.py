"""Events as CloudEvents 1.0 (https://cloudevents.io) with UUIDv7 ids."""

import re
import secrets
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chassis.operations import logs, tracing

SPECIFICATION_VERSION = "1.0"
MAXIMUM_TEXT_LENGTH = 1000


class InvalidEvent(ValueError):
    """The message is not a valid event; a retry would not help."""


def uuid7() -> uuid.UUID:
    """A UUID that sorts by creation time (RFC 9562, §5.7). Python 3.14 has its own."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & ((1 << 48) - 1)) << 80 | 0x7 << 76 | secrets.randbits(12) << 64
    return uuid.UUID(int=value | 0b10 << 62 | secrets.randbits(62))


@dataclass(frozen=True, kw_only=True)
class CloudEvent:
    """An event. `data` carries everything that consumers need, so that none of them calls back."""

    id: uuid.UUID
    source: str
    type: str
    time: datetime
    subject: str
    data: dict[str, Any]
    request_id: str | None = None  # of the originating request
    # https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/distributed-tracing.md
    traceparent: str | None = None
    # https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/sequence.md; see OutboxMessage.event
    sequence: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The JSON form of the event."""
        return {
            "specversion": SPECIFICATION_VERSION,
            "id": str(self.id),
            "source": self.source,
            "type": self.type,
            "time": self.time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "subject": self.subject,
            "datacontenttype": "application/json",
            **({"requestid": self.request_id} if self.request_id else {}),
            **({"traceparent": self.traceparent} if self.traceparent else {}),
            **({"sequence": self.sequence} if self.sequence else {}),
            "data": self.data,
        }

    def positive_integer(self, name: str) -> int:
        """The positive BIGINT `data.<name>`, usually an id. Raises InvalidEvent."""
        value = self.data.get(name)
        if type(value) is not int or not 0 < value < 2**63:  # bool is a subclass of int
            raise InvalidEvent(f"data.{name} is missing or not an id")
        return value

    def text(self, name: str, *, maximum: int = MAXIMUM_TEXT_LENGTH, default: str | None = None) -> str:
        """The string `data.<name>`; `default`, if given, when it is missing or null. Raises InvalidEvent."""
        value = self.data.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise InvalidEvent(f"data.{name} is missing or not a string")
        if len(value) > maximum:
            raise InvalidEvent(f"data.{name} has more than {maximum} characters")
        return value

    def timestamp(self, name: str) -> datetime:
        """The time `data.<name>`, in UTC. Raises InvalidEvent."""
        return _moment(f"data.{name}", self.text(name))

    @classmethod
    def parse(cls, value: Any, *, expected_type: str) -> "CloudEvent":
        """The event in `value`, decoded JSON; unknown fields are ignored. Raises InvalidEvent."""
        if not isinstance(value, dict):
            raise InvalidEvent("the event is not a JSON object")
        if value.get("specversion") != SPECIFICATION_VERSION:
            raise InvalidEvent(f"specversion is {value.get('specversion')!r}, not {SPECIFICATION_VERSION!r}")
        for field in ("id", "source", "type", "time", "subject"):
            if not isinstance(value.get(field), str) or len(value[field]) > MAXIMUM_TEXT_LENGTH:
                raise InvalidEvent(f"{field} is missing or not a string")
        if value["type"] != expected_type:
            raise InvalidEvent(f"type is {value['type'][:100]!r}, not {expected_type!r}")
        if not isinstance(value.get("data"), dict):
            raise InvalidEvent("data is missing or not a JSON object")
        try:
            return cls(
                id=uuid.UUID(value["id"]),
                source=value["source"],
                type=value["type"],
                time=_moment("time", value["time"]),
                subject=value["subject"],
                data=value["data"],
                request_id=logs.well_formed_id(value.get("requestid")),
                traceparent=tracing.well_formed(value.get("traceparent")),
                sequence=_sequence(value.get("sequence")),
            )
        except ValueError as error:
            raise InvalidEvent(str(error)) from error


def _sequence(value: Any) -> str | None:
    return value if isinstance(value, str) and re.fullmatch(r"[0-9]{20}", value, re.ASCII) else None


def _moment(name: str, text: str) -> datetime:
    """A time in UTC, the default time zone. Years at the limits of the calendar cannot be converted between zones."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidEvent(f"{name} is not a time") from error
    if not 1970 <= moment.year <= 9000:
        raise InvalidEvent(f"{name} is out of range")
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
