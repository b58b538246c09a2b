"""What an event says to a person: which texts, in which language, with which facts."""

import zoneinfo
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.template import loader

from chassis.events import CloudEvent, InvalidEvent

DEFAULT_LANGUAGE = "en"
LANGUAGES = ("en", "it")

# The texts of an event, by the name of their template folder, and the facts that they cannot do without.
_TEXTS = {
    "user_login_event": ("login", {"name": str, "user_agent": str, "logged_in_at": str}),
    "new_user_event": ("new_user", {"name": str}),
}


@dataclass(frozen=True, kw_only=True)
class Notice:
    """An event, ready to be written to the person that it is about."""

    folder: str
    language: str
    user_id: int
    email: str
    phone: str
    facts: dict[str, Any]

    def text(self, name: str) -> str:
        """The text `name` (subject.txt, body.txt, body.html, sms.txt) in the person's language."""
        return loader.render_to_string(f"{self.language}/{self.folder}/{name}", self.facts).strip()


def notice_of(event: CloudEvent) -> Notice:
    """The notice that `event` gives. Raises InvalidEvent when the event lacks what the texts need."""
    try:
        folder, needed = _TEXTS[event.type]
    except KeyError as error:
        raise InvalidEvent(f"no text for {event.type!r}") from error
    data = event.data
    for field, kind in {"user_id": int, "email": str, **needed}.items():
        if not isinstance(data.get(field), kind):
            raise InvalidEvent(f"data.{field} is missing or no {kind.__name__}")
    facts = data | {"address": data.get("address") or ""}
    if "logged_in_at" in needed:
        facts["logged_in_at"] = _local_time(data["logged_in_at"], data.get("time_zone"))
    language = str(data.get("locale") or "").partition("-")[0]
    return Notice(
        folder=folder,
        language=language if language in LANGUAGES else DEFAULT_LANGUAGE,
        user_id=data["user_id"],
        email=data["email"],
        phone=str(data.get("phone") or ""),
        facts=facts,
    )


def _local_time(text: str, time_zone: Any) -> str:
    """`2026-01-31 13:00 Europe/Rome`, in the person's time zone, or in UTC when that is unknown."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidEvent("data.logged_in_at is no time") from error
    try:
        zone = zoneinfo.ZoneInfo(str(time_zone or "UTC"))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        zone = zoneinfo.ZoneInfo("UTC")
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M} {zone.key}"
