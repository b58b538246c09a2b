"""The product events: their names, and the events of the services from which they are made.

Names and members stay; members may be added. An event carries ids, and of personal data only names and a verified
address. For an event of a further kind, add its names to EVENTS and a line to SOURCES.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from chassis.messaging.events import CloudEvent, InvalidEvent

EVENTS = {
    "user_created": "an account was created",
    "user_updated": "names, contact data, rights or other properties changed; `changed` names them",
    "user_deleted": "an account was deleted; delete what you keep about the user",
    "user_activated": "an admin activated an account",
    "user_deactivated": "an admin deactivated an account; its sessions end",
    "email_changed": "an account has another verified address",
    "password_changed": "a password was changed or reset",
    "session_started": "a user signed in",
    "session_ended": "a session was ended before its time; `reason` says why",
    "factor_added": "a user added a second factor or a passkey",
    "factor_removed": "a second factor or passkey was removed",
    "client_created": "an OpenID Connect client was registered",
    "client_updated": "a client was changed, or given a new secret; `changed` names the settings",
    "client_deleted": "a client was deleted",
    "organisation_created": "an organisation was created",
    "organisation_updated": "an organisation has another name",
    "organisation_deleted": "an organisation was deleted; its members leave it without events of their own",
    "organisation_member_added": "a user became a member of an organisation",
    "organisation_member_updated": "a member has other roles",
    "organisation_member_removed": "a member left an organisation, or was removed",
}
TEST = "webhook_test"  # sent by an admin to one endpoint
PERSONAL = ("name", "surname", "email")  # members of `data` that are removed when the user is deleted


@dataclass(frozen=True, kw_only=True)
class Product:
    """A product event, before it is stored."""

    id: uuid.UUID
    type: str
    data: dict[str, Any]


Made = Iterator[tuple[str, dict[str, Any]]]


def products_of(event: CloudEvent) -> list[Product]:
    """The product events that an event of a service stands for; often none. Raises InvalidEvent.

    A repeated event gives the same ids, and so do the two events of one change of address, which have one `change_id`.
    """
    made = list(SOURCES[event.type](event))
    origin = _change_id(event) if event.type == "account_changed_event" else event.id
    ids = [origin, *(uuid.uuid5(origin, str(number)) for number in range(1, len(made)))]
    return [Product(id=identity, type=name, data=data) for identity, (name, data) in zip(ids, made, strict=False)]


def _change_id(event: CloudEvent) -> uuid.UUID:
    try:
        return uuid.UUID(event.text("change_id"))
    except ValueError as error:
        raise InvalidEvent("data.change_id is not a UUID") from error


def _person(event: CloudEvent) -> dict[str, Any]:
    """The id, names and verified address of the user, without what is not known."""
    texts = {name: event.text(name, default="") for name in PERSONAL}
    if event.data.get("email_verified") is not True:
        del texts["email"]
    return _id(event) | {name: text for name, text in texts.items() if text}


def _id(event: CloudEvent) -> dict[str, Any]:
    return {"user_id": event.positive_integer("user_id")}


def _user_created(event: CloudEvent) -> Made:
    yield "user_created", _person(event)


def _profile_changed(event: CloudEvent) -> Made:
    yield "user_updated", _person(event) | {"changed": _names(event, "changed")}


def _user_deleted(event: CloudEvent) -> Made:
    yield "user_deleted", _id(event)


def _password_changed(event: CloudEvent) -> Made:
    yield "password_changed", _id(event) | {"reason": event.text("reason", default="change")}
    if event.data.get("first_proof"):
        yield "user_updated", _person(event) | {"changed": ["email_verified"]}


_UPDATES = {
    "email_verified": ["email_verified"],
    "phone_changed": ["phone"],
    "phone_verified": ["phone_verified"],
    "rights_changed": ["is_admin", "scopes"],
}


def _account_changed(event: CloudEvent) -> Made:
    change = event.text("change")
    if change in _UPDATES:
        yield "user_updated", _person(event) | {"changed": _UPDATES[change]}
    elif change in ("activated", "deactivated"):
        yield f"user_{change}", _id(event)
    elif change == "email_changed" or (change == "email_change_undone" and event.data.get("email_restored")):
        yield "email_changed", _id(event) | {"email": event.text("new_email")}


def _login(event: CloudEvent) -> Made:
    yield "session_started", _id(event) | {"session_id": event.positive_integer("session_id")}


def _sessions_ended(event: CloudEvent) -> Made:
    session_ids = event.data.get("session_ids")
    if not isinstance(session_ids, list) or not all(type(each) is int for each in session_ids):
        raise InvalidEvent("data.session_ids is missing or no list of ids")
    for session_id in session_ids:
        yield "session_ended", _id(event) | {"session_id": session_id, "reason": event.text("reason")}


_FACTORS = {
    "totp_enabled": ("factor_added", "totp"),
    "totp_disabled": ("factor_removed", "totp"),
    "passkey_added": ("factor_added", "passkey"),
    "passkey_removed": ("factor_removed", "passkey"),
    "second_factors_removed": ("factor_removed", "all"),
}


def _sign_in_changed(event: CloudEvent) -> Made:
    if found := _FACTORS.get(event.text("change")):
        yield found[0], _id(event) | {"factor": found[1]}


_CLIENTS = {"created": "created", "changed": "updated", "secret_rotated": "updated", "deleted": "deleted"}


def _client_changed(event: CloudEvent) -> Made:
    change = event.text("change")
    if change in _CLIENTS:
        changed = ["client_secret"] if change == "secret_rotated" else _names(event, "changed")
        yield (
            f"client_{_CLIENTS[change]}",
            {"client_id": event.text("client_id")} | ({"changed": changed} if changed else {}),
        )


def _organisation_changed(event: CloudEvent) -> Made:
    change = event.text("change")
    if change in ("created", "updated", "deleted"):
        yield f"organisation_{change}", _organisation(event)


def _membership_changed(event: CloudEvent) -> Made:
    change = event.text("change")
    if change in ("member_added", "member_updated", "member_removed"):
        yield f"organisation_{change}", _id(event) | _organisation(event) | {"roles": _names(event, "roles")}


def _organisation(event: CloudEvent) -> dict[str, Any]:
    return {
        "organisation_id": event.positive_integer("organisation_id"),
        "organisation": event.text("organisation"),
        "slug": event.text("slug"),
    }


def _names(event: CloudEvent, member: str) -> list[str]:
    names = event.data.get(member)
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise InvalidEvent(f"data.{member} is missing or no list of names")
    return names


SOURCES: dict[str, Callable[[CloudEvent], Made]] = {
    "new_user_event": _user_created,
    "profile_changed_event": _profile_changed,
    "user_deleted_event": _user_deleted,
    "account_changed_event": _account_changed,
    "password_changed_event": _password_changed,
    "user_login_event": _login,
    "sessions_ended_event": _sessions_ended,
    "sign_in_changed_event": _sign_in_changed,
    "client_changed_event": _client_changed,
    "organisation_changed_event": _organisation_changed,
    "membership_changed_event": _membership_changed,
}
