"""Changes of organisations, their members and invitations."""

from users_ms.organisations.services.domains import join, set_domains
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
    add_member,
    announce,
    create_organisation,
    delete_organisation,
    give_role,
    lock,
    remove_member,
    rename_organisation,
    set_roles,
    withdraw_role,
)

__all__ = [
    "Actor",
    "accept",
    "add_member",
    "announce",
    "create_organisation",
    "delete_organisation",
    "forget_user",
    "give_role",
    "invite",
    "join",
    "lock",
    "prune",
    "remove_member",
    "rename_organisation",
    "resend",
    "revoke",
    "set_domains",
    "set_roles",
    "sign_up",
    "withdraw_role",
]
