"""What an event says to a person: which texts, in which language, with which facts."""

import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.template import loader

from chassis.events import CloudEvent, InvalidEvent, uuid7

DEFAULT_LANGUAGE = "en"
LANGUAGES = ("en", "it")


@dataclass(frozen=True, kw_only=True)
class Texts:
    """The texts of an event: their template folder, the facts they cannot do without, and the page they lead to.

    The mail of an event that `matters` cannot be switched off: a security notice, or what the user has asked for.
    """

    folder: str
    needs: tuple[str, ...] = ()
    link_setting: str | None = None
    matters: bool = True


TEXTS = {
    "user_login_event": Texts(folder="login", needs=("name", "user_agent", "logged_in_at"), link_setting="SESSION_URL"),
    "new_user_event": Texts(folder="new_user", needs=("name",), matters=False),
    "password_reset_requested_event": Texts(
        folder="password_reset", needs=("name", "token", "expires_at"), link_setting="PASSWORD_RESET_URL"
    ),
    "password_changed_event": Texts(folder="password_changed", needs=("name", "user_agent", "changed_at")),
    "email_verification_requested_event": Texts(
        folder="email_verification", needs=("name", "token", "expires_at"), link_setting="EMAIL_VERIFICATION_URL"
    ),
}
_TIMES = frozenset({"logged_in_at", "changed_at", "expires_at"})


@dataclass(frozen=True, kw_only=True)
class Notice:
    """An event, ready to be written to the person that it is about."""

    folder: str
    language: str
    user_id: int
    email: str
    phone: str
    expires_at: datetime | None
    event: CloudEvent
    facts: dict[str, Any]

    def text(self, name: str) -> str:
        """The text `name` (subject.txt, body.txt, body.html, sms.txt) in the person's language."""
        return loader.render_to_string(f"{self.language}/{self.folder}/{name}", self.facts).strip()


def notice_of(event: CloudEvent) -> Notice:
    """The notice that `event` gives. Raises InvalidEvent when the event lacks what the texts need."""
    try:
        texts = TEXTS[event.type]
    except KeyError as error:
        raise InvalidEvent(f"no text for {event.type!r}") from error
    data = event.data
    needed = {"user_id": int, "email": str, **dict.fromkeys(texts.needs, str)}
    for field, kind in needed.items():
        if not isinstance(data.get(field), kind):
            raise InvalidEvent(f"data.{field} is missing or no {kind.__name__}")
    times = {name: _time(name, data[name]) for name in texts.needs if name in _TIMES}
    language = str(data.get("locale") or "").partition("-")[0]
    return Notice(
        folder=texts.folder,
        language=language if language in LANGUAGES else DEFAULT_LANGUAGE,
        user_id=data["user_id"],
        email=data["email"],
        phone=str(data.get("phone") or ""),
        expires_at=times.get("expires_at"),
        event=event,
        facts=data
        | {"address": data.get("address") or "", "link": _link(texts.link_setting, data)}
        | {name: _local(moment, data.get("time_zone")) for name, moment in times.items()},
    )


def example(event_type: str, *, locale: str) -> Notice:
    """The notice of an event that never happened, to look at its texts. Raises InvalidEvent."""
    data = {
        "user_id": 1,
        "name": "Ada",
        "email": "ada@example.org",
        "locale": locale,
        "time_zone": "Europe/Rome",
        "session_id": 7,
        "address": "203.0.113.7",
        "user_agent": "Firefox",
        "token": "0vYbT1uK3z9mQ2cH7rJ5xW8nL4pS6dF1gA0eI2oU9kE",
        **dict.fromkeys(_TIMES, "2026-01-31T12:00:00+00:00"),
    }
    moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
    return notice_of(
        CloudEvent(id=uuid7(), source="/preview", type=event_type, time=moment, subject="users/1", data=data)
    )


def _link(setting: str | None, data: dict[str, Any]) -> str:
    """The page that takes the token or the session, or nothing where none is configured."""
    page: str = getattr(settings, setting) if setting else ""
    for name in ("token", "session_id"):
        page = page.replace(f"{{{name}}}", quote(str(data.get(name)), safe=""))
    return page


def _time(name: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidEvent(f"data.{name} is no time") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _local(moment: datetime, time_zone: Any) -> str:
    """`2026-01-31 13:00 Europe/Rome`, in the person's time zone, or in UTC when that is unknown."""
    try:
        zone = zoneinfo.ZoneInfo(str(time_zone or "UTC"))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        zone = zoneinfo.ZoneInfo("UTC")
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M} {zone.key}"
