"""Valid defaults; a test states only what matters to it."""

import json
from typing import Any

from django.utils import timezone

from users_ms.accounts import services
from users_ms.accounts.events import Origin
from users_ms.accounts.models import User
from users_ms.organisations.models import Membership, Organisation

PASSWORD = "correct horse battery"
# The placeholders of paths, for tests that call every operation.
IDS = ("user_id", "organisation_id", "invitation_id", "client_id", "group_id", "name")


def sign_up(**changes: Any) -> dict[str, Any]:
    """Arguments for `client.post` or `put` that sign Ada up; None omits a field."""
    fields = {"name": "Ada", "surname": "Lovelace", "email": "ada@example.org", "password": PASSWORD} | changes
    return as_json({name: value for name, value in fields.items() if value is not None})


def as_json(value: Any) -> dict[str, Any]:
    """Arguments for the test client that send `value` as a JSON body."""
    return {"data": json.dumps(value), "content_type": "application/json"}


def an_admin(**changes: Any) -> User:
    """A stored admin, without an event."""
    fields = {"name": "Root", "surname": "Operator", "email": "root@example.net", "email_canonical": "root@example.net"}
    return User.objects.create(**fields | {"password_hash": "!", "is_admin": True} | changes)


def a_user(**changes: Any) -> User:
    """A stored user."""
    fields = {"name": "Ada", "surname": "Lovelace", "email": "ada@example.org", "password": PASSWORD} | changes
    return services.create_user(origin=Origin(), at=timezone.now(), **fields)


def an_organisation(*, name: str = "Acme", slug: str = "acme", **members: User) -> Organisation:
    """A stored organisation; `members` has a user by role."""
    organisation = Organisation.objects.create(name=name, slug=slug)
    for role, user in members.items():
        Membership.objects.create(organisation=organisation, user=user, roles=[role])
    return organisation
