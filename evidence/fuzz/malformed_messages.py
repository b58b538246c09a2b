"""Malformed messages of every kind, generated from a seed; and valid ones with unusual headers."""

import json
import os
import pickle
import random
import uuid
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import yaml

from chassis.security import encryption
from local.paths import ROOT

DOMAIN = "fuzzed.example"
SCHEMAS = yaml.safe_load((ROOT / "docs" / "asyncapi.yaml").read_text())["components"]["schemas"]
MISSING = object()
NOT_TEXT: list[Any] = [7, 1.5, True, [], {}, "x" * 5000, "a\0b", "\ud800"]
NOT_ID: list[Any] = [MISSING, None, 0, -1, True, 1.5, "7", [], {}, 2**63, 10**40]
NOT_TIME: list[Any] = [
    MISSING,
    None,
    *NOT_TEXT,
    "",
    "yesterday",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:00:00-12:00",
]
REQUIRED, OPTIONAL = [MISSING, None, *NOT_TEXT], NOT_TEXT
ADDRESS = [*REQUIRED, f"a@{DOMAIN}\r\nBcc: injected@{DOMAIN}"]
NOT_CHANGE: list[Any] = [*REQUIRED, "", "unheard_of"]
NOT_OPTIONAL_ID: list[Any] = ["7", True, [], -1, 2**63]
CONTACT = {"user_id": NOT_ID, "phone": OPTIONAL, "locale": OPTIONAL, "time_zone": OPTIONAL}
RECIPIENT = CONTACT | {"email": ADDRESS, "address": OPTIONAL}
USER = RECIPIENT | {"name": OPTIONAL, "user_agent": OPTIONAL}
TOKEN = RECIPIENT | {"sealed_token": REQUIRED, "expires_at": NOT_TIME}
CHANGED = USER | {"change": NOT_CHANGE, "changed_at": NOT_TIME}
LOGIN = USER | {"user_agent": REQUIRED, "logged_in_at": NOT_TIME}
ORGANISATION = {
    "organisation_id": NOT_ID,
    "slug": REQUIRED,
    "change": NOT_CHANGE,
    "change_id": [*REQUIRED, "x"],
    "changed_at": NOT_TIME,
    "actor_id": NOT_OPTIONAL_ID,
    "session_id": NOT_OPTIONAL_ID,
    "address": [*OPTIONAL, "no address"],
}
# By queue: its event, and invalid values of each field of `data` that its consumer reads.
QUEUES: dict[str, tuple[str, dict[str, list[Any]]]] = {
    "login_email_notification": ("user_login_event", LOGIN),
    "login_sms_notification": ("user_login_event", LOGIN | {"email": REQUIRED}),
    "new_user_email_notification": ("new_user_event", USER),
    "password_reset_email_notification": ("password_reset_requested_event", TOKEN),
    "password_changed_email_notification": (
        "password_changed_event",
        USER | {"user_agent": REQUIRED, "changed_at": NOT_TIME},
    ),
    "email_verification_email_notification": ("email_verification_requested_event", TOKEN),
    "email_change_email_notification": ("email_change_requested_event", TOKEN | USER | {"new_email": REQUIRED}),
    "account_changed_email_notification": ("account_changed_event", CHANGED),
    "sign_in_changed_email_notification": ("sign_in_changed_event", CHANGED),
    "email_sign_in_email_notification": (
        "email_sign_in_requested_event",
        RECIPIENT | {"sealed_code": REQUIRED, "expires_at": NOT_TIME},
    ),
    "sign_up_repeated_email_notification": ("sign_up_repeated_event", RECIPIENT),
    "membership_changed_email_notification": ("membership_changed_event", CHANGED | {"organisation": REQUIRED}),
    "organisation_invitation_email_notification": ("organisation_invitation_event", TOKEN | {"organisation": REQUIRED}),
    "factor_enrolment_email_notification": (
        "factor_enrolment_requested_event",
        USER | {"sealed_code": REQUIRED, "expires_at": NOT_TIME},
    ),
    "organisation_changed_audit": ("organisation_changed_event", ORGANISATION),
    "membership_changed_audit": (
        "membership_changed_event",
        ORGANISATION | {"user_id": NOT_ID, "roles": [MISSING, None, 7, "x", [7], {}]},
    ),
    "invitation_changed_audit": (
        "invitation_changed_event",
        ORGANISATION | {"invitation_id": NOT_ID, "email": REQUIRED, "roles": [MISSING, None, 7, "x", [7], {}]},
    ),
    "phone_verification_sms_notification": (
        "phone_verification_requested_event",
        USER | {"phone": REQUIRED, "sealed_code": REQUIRED, "expires_at": NOT_TIME},
    ),
    "user_deleted_email_notification": ("user_deleted_event", {"user_id": NOT_ID}),
    "user_deleted_data_erasure": ("user_deleted_event", {"user_id": NOT_ID}),
    "user_deleted_session_revocation": ("user_deleted_event", {"user_id": NOT_ID, "actor_id": NOT_OPTIONAL_ID}),
    "password_changed_session_revocation": (
        "password_changed_event",
        {"user_id": NOT_ID, "changed_at": NOT_TIME, "kept_session_id": NOT_OPTIONAL_ID, "change_id": [None, 7, "x"]},
    ),
    "new_user_email_verification": (
        "new_user_event",
        CONTACT
        | {"name": OPTIONAL, "email": REQUIRED, "actor_id": NOT_OPTIONAL_ID, "address": [*OPTIONAL, "no address"]},
    ),
    "client_logout_delivery": ("client_logout_event", {"delivery_id": NOT_ID}),
    "account_changed_audit": (
        "account_changed_event",
        {
            "user_id": NOT_ID,
            "change": NOT_CHANGE,
            "change_id": [*REQUIRED, "x"],
            "changed_at": NOT_TIME,
            "scopes": [MISSING, None, 7, "x", [7], {}],
            "actor_id": NOT_OPTIONAL_ID,
            "session_id": NOT_OPTIONAL_ID,
            "address": [*OPTIONAL, "no address"],
        },
    ),
}
ENCRYPTED = ("sealed_token", "sealed_code")
if "SEALING_PUBLIC_KEY" not in os.environ:  # a remote stack, whose key is unknown here
    QUEUES = {name: (event, data) for name, (event, data) in QUEUES.items() if not set(ENCRYPTED) & set(data)}
ENVELOPE: dict[str, list[Any]] = {
    "specversion": [*REQUIRED, "2.0", ""],
    "id": [*REQUIRED, "", "no uuid"],
    "source": REQUIRED,
    "type": [*REQUIRED, "", "unheard_of_event"],
    "time": NOT_TIME,
    "subject": REQUIRED,
    "data": [MISSING, None, 7, "x", [], True],
}


@dataclass
class Message:
    """A message that is published to one queue directly."""

    queue: str
    kind: str
    body: bytes
    headers: dict[str, Any]
    content_type: str | None = "application/json"
    content_encoding: str | None = "utf-8"
    event: dict[str, Any] = field(default_factory=dict)


def good(queue: str, chance: random.Random) -> Message:
    """A valid message as the relay publishes it, for a user of its own."""
    event = deepcopy(SCHEMAS[QUEUES[queue][0]]["examples"][0])
    number = chance.randrange(10**9, 10**15)
    event |= {"id": str(uuid.UUID(int=chance.getrandbits(128), version=4)), "subject": f"users/{number}"}
    event["data"]["user_id"] = number
    if "email" in event["data"]:
        event["data"] |= {"email": f"{number}@{DOMAIN}", "phone": f"+39{number}"}
    if "expires_at" in event["data"]:
        event["data"]["expires_at"] = "2999-01-31T12:00:00+00:00"
    if "email_verified" in event["data"]:
        event["data"]["email_verified"] = queue != "new_user_email_verification"
    if "email_verified" in event["data"] and event["type"] == "organisation_invitation_event":
        event["data"]["email_verified"] = False
    if event["type"] == "account_changed_event":
        event["data"]["change"] = "rights_changed"  # which is notified by no other event
    for name in ENCRYPTED:
        if name in event["data"]:
            public, secret = os.environ["SEALING_PUBLIC_KEY"], f"{number:06}"[:6]
            event["data"][name] = encryption.encrypt_with_public_key(secret, public_key=public, info=event["type"])
    return _message(queue, event)


def _message(queue: str, event: Any) -> Message:
    body = json.dumps([[], {"event": event}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])
    headers = {"task": QUEUES[queue][0], "id": str(uuid.uuid4()), "lang": "py"}
    return Message(queue, "good", body.encode(), headers, event=event)


# With these, Celery alone would delay or expire a task, kill a process, forge a log line or end.
STRANGE_HEADERS: list[dict[str, Any]] = [
    {"eta": "2999-01-01T00:00:00Z"},
    {"eta": "no time"},
    {"expires": "2001-01-01T00:00:00Z"},
    {"expires": {}},
    {"timelimit": [1, 1]},
    {"timelimit": "x"},
    {"retries": "x", "group": [], "root_id": {}, "parent_id": 7},
    {"shadow": "x\nERROR forged", "argsrepr": "x" * 2000, "kwargsrepr": {}},
    {"stamped_headers": "x", "stamps": 7, "ignore_result": "x", "replaced_task_nesting": "x"},
    {"traceparent": "00-\r\nforged", "lang": 7, "origin": []},
]


def strange(queue: str, chance: random.Random) -> Message:
    """A valid message with unusual headers, which must be delivered."""
    message = good(queue, chance)
    message.headers |= chance.choice(STRANGE_HEADERS)
    return message


def malformed(number: int, *, seed: int) -> Iterator[Message]:
    """`number` messages, about as many of each kind; the same for the same seed."""
    chance = random.Random(seed)
    for position in range(number):
        kind, spoil = list(KINDS.items())[position % len(KINDS)]
        message = spoil(good(chance.choice(list(QUEUES)), chance), chance)
        message.kind = kind
        yield message


def _content_type(message: Message, chance: random.Random) -> Message:
    kinds = ["application/x-python-serialize", "application/x-yaml", "application/x-msgpack", "text/plain", "x" * 200]
    message.content_type = chance.choice([*kinds, "application/octet-stream", "application/JSON; charset=utf-16", None])
    if message.content_type == "application/x-python-serialize":
        message.body = pickle.dumps(json.loads(message.body))
    return message


def _content_encoding(message: Message, chance: random.Random) -> Message:
    message.content_encoding = chance.choice(["binary", "utf-16", "latin-1", "gzip", "no such", "\n", None])
    return message


def _truncated(message: Message, chance: random.Random) -> Message:
    message.body = message.body[: chance.randrange(len(message.body))]
    return message


def _no_json(message: Message, chance: random.Random) -> Message:
    texts = [b"", b" ", b"x", b"null", b"7", b'"x"', b"NaN", b"[NaN, 1e999]", b"1" * 5000, b"{'a': 1}", b"\0" * 100]
    message.body = chance.choice([*texts, b'[[], {"event": {}, "event": {}}, {}]', chance.randbytes(500)])
    return message


def _bad_utf8(message: Message, chance: random.Random) -> Message:
    place = message.body.index(b"specversion")
    broken = chance.choice([b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf8\x88\x80\x80\x80"])
    message.body = message.body[:place] + broken + message.body[place:]
    return message


def _nested(message: Message, chance: random.Random) -> Message:
    depth = chance.choice([70, 500, 990, 2000, 50_000])
    opened, closed = chance.choice([(b"[", b"]"), (b'{"a":', b"}")])
    deep = opened * depth + b"7" + closed * depth
    message.body = chance.choice([deep, message.body.replace(b'"specversion"', b'"x": ' + deep + b', "specversion"')])
    return message


def _oversized(message: Message, chance: random.Random) -> Message:
    return _message(message.queue, message.event | {"extra": "x" * 300_000})


def _task_shape(message: Message, chance: random.Random) -> Message:
    event = message.event
    shapes: list[Any] = [
        event, {"event": event}, [], [[], {"event": event}], [[], {"event": event}, {}, {}], [[event], {}, {}],
        [[7], {"event": event}, {}], [{}, {"event": event}, {}], [[], [], {}], [[], {}, {}], [[], {"event": event}, 7],
        [[], {"event": event}, None], [None, None, None], [[], {"event": "x"}, {}], [[], {"event": [event]}, {}],
    ]  # fmt: skip
    message.body = json.dumps(chance.choice(shapes)).encode()
    return message


def _followers(message: Message, chance: random.Random) -> Message:
    """Celery alone would run these tasks afterwards."""
    name = chance.choice(["callbacks", "errbacks", "chain", "chord", "kwargs"])
    follower = {"task": message.headers["task"], "args": [], "kwargs": {"event": message.event}, "options": {}}
    message.body = json.dumps(
        [[], {"event": message.event}, {name: chance.choice([[follower], follower, "x"])}]
    ).encode()
    return message


def _task_header(message: Message, chance: random.Random) -> Message:
    names: list[Any] = [
        None,
        7,
        True,
        [],
        {},
        ["user_login_event"],
        "",
        "x" * 5000,
        "celery.backend_cleanup",
        "os.system",
        "a\nb",
    ]
    message.headers["task"] = chance.choice([*names, MISSING])
    return message


def _id_header(message: Message, chance: random.Random) -> Message:
    message.headers["id"] = chance.choice(
        [MISSING, None, 7, [], {}, "", "x", "x" * 5000, "12345678\nforged", "../../x"]
    )
    return message


def _compressed(message: Message, chance: random.Random) -> Message:
    message.headers["compression"] = chance.choice(["gzip", "application/x-gzip", "bzip2", "no such", "x" * 200])
    return message


def _old_protocol(message: Message, chance: random.Random) -> Message:
    task = message.headers["task"]
    body = {"task": task, "id": message.headers["id"], "args": [], "kwargs": {"event": message.event}, "eta": None}
    message.body, message.headers = json.dumps(body).encode(), chance.choice([{}, {"lang": "py"}])
    return message


def _python_objects(message: Message, chance: random.Random) -> Message:
    """kombu deserializes these into objects at any depth."""
    kind = chance.choice(["datetime", "uuid", "bytes", "os.system", 7, None])
    return _message(
        message.queue, message.event | {"source": {"__type__": kind, "__value__": chance.choice(["x", 7, {}])}}
    )


def _envelope_field(message: Message, chance: random.Random) -> Message:
    name = chance.choice(list(ENVELOPE))
    return _message(message.queue, _with(message.event, name, chance.choice(ENVELOPE[name])))


def _data_field(message: Message, chance: random.Random) -> Message:
    fields = QUEUES[message.queue][1]
    name = chance.choice(list(fields))
    return _message(
        message.queue, message.event | {"data": _with(message.event["data"], name, chance.choice(fields[name]))}
    )


def _event_of_another(message: Message, chance: random.Random) -> Message:
    others = [name for name in QUEUES if QUEUES[name][0] != message.headers["task"]]
    return _message(message.queue, good(chance.choice(others), chance).event)


def _with(values: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    rest = {key: member for key, member in values.items() if key != name}
    return rest if value is MISSING else rest | {name: value}


KINDS: dict[str, Callable[[Message, random.Random], Message]] = {
    "content type": _content_type,
    "content encoding": _content_encoding,
    "truncated": _truncated,
    "no JSON": _no_json,
    "bad UTF-8": _bad_utf8,
    "nested deeply": _nested,
    "oversized": _oversized,
    "shape of the task": _task_shape,
    "followed by tasks": _followers,
    "header task": _task_header,
    "header id": _id_header,
    "compressed": _compressed,
    "Celery protocol 1": _old_protocol,
    "Python objects": _python_objects,
    "field of the event": _envelope_field,
    "field of its data": _data_field,
    "another event": _event_of_another,
}
