"""All data of one user, and all users as rows of an import."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.contrib.auth import hashers

from users_ms.accounts import selectors as accounts
from users_ms.accounts.models import FormerAddress, User
from users_ms.organisations import selectors as organisations
from users_ms.portability.models import ImportedUser
from users_ms.scim.models import ScimUser

BATCH = 2000
# Members of a row that are columns of a user, with the values that a row leaves out.
_DEFAULTS: dict[str, Any] = {
    "email_verified": False,
    "surname": "",
    "phone": "",
    "phone_verified": False,
    "locale": "en",
    "time_zone": "UTC",
    "attributes": {},
    "metadata": {},
    "is_active": True,
    "scopes": [],
}


def export_of(*, user_id: int, at: datetime) -> dict[str, Any]:
    """Everything that users-ms stores about a user, except the password hash. Raises UserNotFound."""
    user = accounts.get_user(user_id=user_id)
    imported = ImportedUser.objects.filter(user_id=user.id).first()
    return {
        "exported_at": at,
        "user": user,
        "external_id": imported.external_id if imported else None,
        "former_addresses": FormerAddress.objects.filter(user_id=user.id).order_by("id"),
        "memberships": organisations.memberships_of(user_id=user.id),
        "provisioned": ScimUser.objects.filter(user_id=user.id).first(),
    }


def exported_rows() -> Iterator[dict[str, Any]]:
    """Every user, with the password hash, as a row that an import accepts; rights as an admin are left out.

    A user who was not imported has the id `tessera-<id>`. Who signs up meanwhile may be missing.
    """
    last = 0
    while users := list(User.objects.filter(id__gt=last).order_by("id")[:BATCH]):
        last = users[-1].id
        imported = ImportedUser.objects.filter(user_id__in=[user.id for user in users])
        external_ids = dict(imported.values_list("user_id", "external_id"))
        for user in users:
            yield _row(user, external_ids.get(user.id, f"tessera-{user.id}"))


def _row(user: User, external_id: str) -> dict[str, Any]:
    row = {"external_id": external_id, "email": user.email, "name": user.name}
    row |= {name: getattr(user, name) for name, default in _DEFAULTS.items() if getattr(user, name) != default}
    if hashers.is_password_usable(user.password_hash):
        row["password_hash"] = user.password_hash
    return row | {"created_at": user.created_at.isoformat()}
