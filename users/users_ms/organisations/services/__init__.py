"""Changes of organisations, their members and invitations."""

from users_ms.organisations.services.invitations import (
    accept,
    forget_user,
    invite,
    prune,
    resend,
    revoke,
    sign_up,
)
from users_ms.organisations.services.members import (
    Actor,
    create_organisation,
    delete_organisation,
    remove_member,
    rename_organisation,
    set_roles,
)

__all__ = [
    "Actor",
    "accept",
    "create_organisation",
    "delete_organisation",
    "forget_user",
    "invite",
    "prune",
    "remove_member",
    "rename_organisation",
    "resend",
    "revoke",
    "set_roles",
    "sign_up",
]
