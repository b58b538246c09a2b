"""The notice for an event: which texts, in which language, with which facts."""

import re
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.template import TemplateDoesNotExist, loader

from chassis.messaging.events import CloudEvent, InvalidEvent, uuid7
from chassis.security import encryption
from notification_ms.deliveries import display_text
from notification_ms.deliveries.event_texts import DIGEST, TEXTS, Texts
from notification_ms.deliveries.failures import PermanentFailure

DEFAULT_LANGUAGE = "en"
LANGUAGES = ("en", "it")
MAXIMUM_ADDRESS_LENGTH = 254  # the length of the column in the delivery log
SUBJECT = "subject.txt"
_EMPTY_LINES = re.compile(r"\n{3,}")  # left where template blocks are empty


@dataclass(frozen=True, kw_only=True)
class Notice:
    """An event, ready to be rendered for the user that it concerns."""

    texts: Texts
    change: str  # which of `texts.changes`; empty where there are none
    language: str
    time_zone: str
    user_id: int
    email: str
    is_verified: bool
    phone: str
    expires_at: datetime | None
    event: CloudEvent
    facts: dict[str, Any]

    @property
    def kind(self) -> str:
        """The key of limits: the event type, and for events with many changes, the change."""
        return f"{self.event.type}/{self.change}" if self.change else self.event.type

    @property
    def notified_by(self) -> str:
        """The event that notifies of the same change; empty when this one does."""
        return dict(self.texts.notified_by).get(self.change, "")

    def text(self, name: str) -> str:
        """The text `name` (subject.txt, body.txt, body.html, sms.txt) in the user's language.

        A subject names only the event: nothing that a user has typed. Raises PermanentFailure when the secret cannot
        be decrypted.
        """
        if name == SUBJECT:
            return subject(folder=self.texts.folder, change=self.change, language=self.language)
        facts = self.facts | self._secret()
        text = loader.render_to_string(f"{self.language}/{self.texts.folder}/{name}", facts).strip()
        return _EMPTY_LINES.sub("\n\n", text)

    def text_if_any(self, name: str) -> str:
        """Like `text`; empty when no medium has such a text for this event."""
        try:
            return self.text(name)
        except TemplateDoesNotExist:
            return ""

    def _secret(self) -> dict[str, str]:
        """The token or code, decrypted only now, and the configured page that takes it or shows the session."""
        values = {"session_id": str(self.event.data.get("session_id"))}
        decrypted = {self.texts.secret: _decrypted(self.event, self.texts.secret)} if self.texts.secret else {}
        page: str = getattr(settings, self.texts.link_setting) if self.texts.link_setting else ""
        for name, value in (values | decrypted).items():
            page = page.replace(f"{{{name}}}", quote(value, safe=""))
        return decrypted | {"link": page}


def subject(*, folder: str, change: str, language: str) -> str:
    """The subject of a notice."""
    return loader.render_to_string(f"{language}/{folder}/{SUBJECT}", {"change": change}).strip()


def subject_of(kind: str, *, language: str) -> str:
    """The subject of the notices of one `Notice.kind`."""
    event_type, _, change = kind.partition("/")
    return subject(folder=TEXTS[event_type].folder, change=change, language=language)


def notice_of(event: CloudEvent) -> Notice:
    """The notice for `event`. Raises InvalidEvent when required data is missing."""
    try:
        texts = TEXTS[event.type]
    except KeyError as error:
        raise InvalidEvent(f"no text for {event.type!r}") from error
    for name in texts.needs:
        event.text(name)
    if texts.secret and not _is_there(event, texts.secret):
        raise InvalidEvent(f"data.sealed_{texts.secret} is missing or not a string")
    optional = {name: event.text(name, default="") for name in ("phone", "locale", "time_zone")}
    # An older users-ms sends no contact data of a deleted user.
    email = event.text("email", maximum=MAXIMUM_ADDRESS_LENGTH, default="" if texts.is_farewell else None)
    return Notice(
        texts=texts,
        change=_change(event, texts),
        language=language_of(optional["locale"]),
        time_zone=optional["time_zone"],
        user_id=event.positive_integer("user_id"),
        email=email,
        is_verified=event.data.get("email_verified", True) is True,
        phone=optional["phone"][:MAXIMUM_ADDRESS_LENGTH],
        expires_at=event.timestamp("expires_at") if "expires_at" in texts.needs else None,
        event=event,
        facts=_facts(event, texts, email=email, time_zone=optional["time_zone"]),
    )


def _change(event: CloudEvent, texts: Texts) -> str:
    if not texts.changes:
        return ""
    change = event.text("change")
    if change not in texts.changes:
        raise InvalidEvent(f"no text for the change {change[:100]!r}")
    return change


def _is_there(event: CloudEvent, secret: str) -> bool:
    """True when the secret is there: encrypted, or for one release in clear text from an older auth-ms."""
    return isinstance(event.data.get(f"sealed_{secret}", event.data.get(secret)), str)


def _decrypted(event: CloudEvent, secret: str) -> str:
    encrypted = event.data.get(f"sealed_{secret}")
    if not isinstance(encrypted, str):
        return event.text(secret)
    try:
        return encryption.decrypt_with_private_key(encrypted, private_key=settings.SEALING_PRIVATE_KEY, info=event.type)
    except ValueError as error:
        raise PermanentFailure(
            "SEALING_PRIVATE_KEY does not decrypt what auth-ms encrypted with SEALING_PUBLIC_KEY"
        ) from error


def _facts(event: CloudEvent, texts: Texts, *, email: str, time_zone: str) -> dict[str, Any]:
    """The facts for the templates. User input is defanged here, once, and left out for unverified addresses."""
    data = event.data
    actor, by_organisation = data.get("actor_id"), data.get("scim_client_id") is not None
    facts: dict[str, Any] = {
        "change": _change(event, texts),
        "email": email,
        "when": local_time(event.timestamp(texts.when) if texts.when else event.time, time_zone),
        "by_somebody_else": by_organisation or (isinstance(actor, int) and actor != event.positive_integer("user_id")),
        "address": display_text.defanged(event.text("address", default="")),
        "first_proof": data.get("first_proof") is True,
        "password_ended": data.get("password_ended") is True,
        "reason": event.text("reason", default=""),
        "is_admin": data.get("is_admin") is True,
        "organisation": display_text.name(event.text("organisation", default="")),
    }
    if "expires_at" in texts.needs:
        facts["expires_at"] = local_time(event.timestamp("expires_at"), time_zone)
    if texts.any_address:
        return facts
    new_email = event.text("new_email", default="")
    return facts | {
        "name": display_text.name(event.text("name", default="")),
        "user_agent": display_text.defanged(event.text("user_agent", default="")),
        "new_email": display_text.defanged(new_email) if "new_email" in texts.needs else display_text.masked(new_email),
        "is_new_email": email == new_email,
        "scopes": [display_text.defanged(str(scope)) for scope in _list(data.get("scopes"))],
        "roles": [display_text.defanged(str(role)) for role in _list(data.get("roles"))],
    }


def _list(value: Any) -> list[Any]:
    return value[:50] if isinstance(value, list) else []


def language_of(locale: str) -> str:
    """The best matching language of the texts."""
    language = locale.partition("-")[0]
    return language if language in LANGUAGES else DEFAULT_LANGUAGE


def local_time(moment: datetime, time_zone: str) -> str:
    """`2026-01-31 13:00 Europe/Rome`, in the user's time zone, or in UTC when that is unknown."""
    try:
        zone = zoneinfo.ZoneInfo(time_zone or "UTC")
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        zone = zoneinfo.ZoneInfo("UTC")
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M} {zone.key}"


def digest(
    event: CloudEvent, *, counted: list[tuple[str, int]], since: datetime, address: str, language: str, time_zone: str
) -> Notice:
    """The digest of held-back notices since `since`, counted by `Notice.kind`."""
    held_back = [{"count": count, "what": subject_of(kind, language=language)} for kind, count in counted]
    return Notice(
        texts=Texts(folder=DIGEST),
        change="",
        language=language,
        time_zone=time_zone,
        user_id=event.positive_integer("user_id"),
        email=address,
        is_verified=True,
        phone=address,
        expires_at=None,
        event=event,
        facts={
            "held_back": held_back,
            "total": sum(count for _, count in counted),
            "since": local_time(since, time_zone),
            "until": local_time(event.time, time_zone),
        },
    )


def example(event_type: str, *, locale: str, change: str = "") -> Notice:
    """A notice for an example event, to preview its texts. Raises InvalidEvent."""
    moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
    changes = TEXTS[event_type].changes
    data = {
        "user_id": 1,
        "name": "Ada",
        "email": "ada@example.org",
        "phone": "+390612345678",
        "locale": locale,
        "time_zone": "Europe/Rome",
        "session_id": 7,
        "address": "203.0.113.7",
        "user_agent": "Firefox",
        "token": "0vYbT1uK3z9mQ2cH7rJ5xW8nL4pS6dF1gA0eI2oU9kE",  # pragma: allowlist secret
        "code": "123456",
        "change": change or min(changes, default=""),
        "old_email": "ada@example.org",
        "new_email": "a***@example.net",
        "scopes": ["orders:read"],
        "organisation": "Acme Corporation",
        "roles": ["member"],
        "actor_id": None,
        **dict.fromkeys(("logged_in_at", "changed_at", "expires_at", "deleted_at"), moment.isoformat()),
    }
    return notice_of(
        CloudEvent(id=uuid7(), source="/preview", type=event_type, time=moment, subject="users/1", data=data)
    )
