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
MAXIMUM_ADDRESS_LENGTH = 254  # what the delivery log takes


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
    needed = {name: event.text(name) for name in texts.needs if name not in _TIMES}
    times = {name: event.moment(name) for name in texts.needs if name in _TIMES}
    optional = {name: event.text(name, default="") for name in ("phone", "locale", "time_zone", "address")}
    user_id, email = event.whole("user_id"), event.text("email", maximum=MAXIMUM_ADDRESS_LENGTH)
    language = optional["locale"].partition("-")[0]
    return Notice(
        folder=texts.folder,
        language=language if language in LANGUAGES else DEFAULT_LANGUAGE,
        user_id=user_id,
        email=email,
        phone=optional["phone"][:MAXIMUM_ADDRESS_LENGTH],
        expires_at=times.get("expires_at"),
        event=event,
        facts=needed
        | {"email": email, "address": optional["address"], "link": _link(texts.link_setting, event)}
        | {name: _local(moment, optional["time_zone"]) for name, moment in times.items()},
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
        "token": "0vYbT1uK3z9mQ2cH7rJ5xW8nL4pS6dF1gA0eI2oU9kE",  # pragma: allowlist secret
        **dict.fromkeys(_TIMES, "2026-01-31T12:00:00+00:00"),
    }
    moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
    return notice_of(
        CloudEvent(id=uuid7(), source="/preview", type=event_type, time=moment, subject="users/1", data=data)
    )


def _link(setting: str | None, event: CloudEvent) -> str:
    """The page that takes the token or the session, or nothing where none is configured."""
    page: str = getattr(settings, setting) if setting else ""
    for name in ("token", "session_id"):
        page = page.replace(f"{{{name}}}", quote(str(event.data.get(name)), safe=""))
    return page


def _local(moment: datetime, time_zone: str) -> str:
    """`2026-01-31 13:00 Europe/Rome`, in the person's time zone, or in UTC when that is unknown."""
    try:
        zone = zoneinfo.ZoneInfo(time_zone or "UTC")
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        zone = zoneinfo.ZoneInfo("UTC")
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M} {zone.key}"
