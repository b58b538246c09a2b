"""Requests and events that several test modules send."""

import dataclasses
import uuid

import pyotp
from django.test import Client
from django.utils import timezone

from auth.tests.builders import as_json, login
from auth_ms import users_client
from auth_ms.sessions import services as sessions
from chassis.http import client_address
from chassis.messaging import events

CREDENTIALS = {field.name for field in dataclasses.fields(users_client.Credentials)}

CONTACT = {
    "name": "Ada",
    "email": "ada@example.org",
    "email_verified": False,
    "phone": "",
    "locale": "it",
    "time_zone": "UTC",
}

NEW = "a longer staple of horses"


def signed_in(user):
    """An HTTP client with a session of `user`, opened without a login: hundreds of tests need no more of one."""
    known = users_client.Credentials(**{field: user[field] for field in user if field in CREDENTIALS})
    from_here = client_address.Client(address="127.0.0.1", user_agent="")
    pair = sessions.open_session(user=known, methods=["pwd"], client=from_here, at=timezone.now())
    return Client(headers={"Authorization": f"Bearer {pair.access_token}"})


def add(client, authenticator, **changes):
    options = client.post("/auth-ms/auth/passkeys/options").json()
    body = {"name": "my key", "credential": authenticator.create(options)} | changes
    return client.post("/auth-ms/auth/passkeys", **as_json(body))


def forgot(client, email="ada@example.org", **extra):
    return client.post("/auth-ms/auth/password/forgot", **as_json({"email": email}), **extra)


def reset(client, token, password=NEW):
    return client.post("/auth-ms/auth/password/reset", **as_json({"token": token, "new_password": password}))


def begin(client):
    answer = client.post("/auth-ms/auth/mfa/totp")
    assert answer.status_code == 201, answer.content
    return pyotp.TOTP(answer.json()["secret"])


def confirm(client, code):
    return client.post("/auth-ms/auth/mfa/totp/confirm", **as_json({"code": code}))


def first_step(client):
    answer = client.post("/auth-ms/auth/login", **login())
    assert answer.status_code == 200
    return answer.json()


def second_step(client, mfa_token, code, method="totp"):
    return client.post("/auth-ms/auth/login/mfa", **as_json({"mfa_token": mfa_token, "method": method, "code": code}))


def event(kind, **data):
    return events.CloudEvent(
        id=events.uuid7(), source="/tests", type=kind, time=timezone.now(), subject="users/7", data=data
    ).as_dict()


def account_changed(change, **facts):
    """A change that Ada made herself, unless `facts` say otherwise."""
    data = {
        "user_id": 7,
        **CONTACT,
        "change_id": str(uuid.uuid4()),
        "change": change,
        "changed_at": timezone.now().isoformat(),
        "first_proof": False,
        "old_email": "",
        "new_email": "",
        "is_active": True,
        "is_admin": False,
        "scopes": [],
        "actor_id": None,
        "session_id": 3,
        "address": "192.0.2.7",
        "user_agent": "Firefox",
    }
    return event("account_changed_event", **data | facts)
