"""Events as CloudEvents 1.0 (https://cloudevents.io) with UUIDv7 ids."""

import re
import secrets
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chassis import logs, tracing

SPECIFICATION_VERSION = "1.0"


class InvalidEvent(ValueError):
    """A message that is no CloudEvent of this system; sending it again will not help."""


def uuid7() -> uuid.UUID:
    """A UUID that sorts by the time it was made (RFC 9562, §5.7). Python has its own from 3.14 on."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & ((1 << 48) - 1)) << 80 | 0x7 << 76 | secrets.randbits(12) << 64
    return uuid.UUID(int=value | 0b10 << 62 | secrets.randbits(62))


@dataclass(frozen=True, kw_only=True)
class CloudEvent:
    """One thing that happened. `data` carries all that consumers need, so that none of them calls back."""

    id: uuid.UUID
    source: str
    type: str
    time: datetime
    subject: str
    data: dict[str, Any]
    request_id: str | None = None  # of the request that led to it
    traceparent: str | None = (
        None  # https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/distributed-tracing.md
    )

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
            "data": self.data,
        }

    @classmethod
    def parse(cls, value: Any) -> "CloudEvent":
        """The event in `value`, a decoded JSON object; fields it does not know are ignored. Raises InvalidEvent."""
        if not isinstance(value, dict):
            raise InvalidEvent("the event is not a JSON object")
        if value.get("specversion") != SPECIFICATION_VERSION:
            raise InvalidEvent(f"specversion is {value.get('specversion')!r}, not {SPECIFICATION_VERSION!r}")
        for field in ("id", "source", "type", "time", "subject"):
            if not isinstance(value.get(field), str):
                raise InvalidEvent(f"{field} is missing or no string")
        if not isinstance(value.get("data"), dict):
            raise InvalidEvent("data is missing or no JSON object")
        try:
            return cls(
                id=uuid.UUID(value["id"]),
                source=value["source"],
                type=value["type"],
                time=datetime.fromisoformat(re.sub("Z$", "+00:00", value["time"])),
                subject=value["subject"],
                data=value["data"],
                request_id=logs.well_formed_id(value.get("requestid")),
                traceparent=tracing.well_formed(value.get("traceparent")),
            )
        except ValueError as error:
            raise InvalidEvent(str(error)) from error
