"""Whether an admin may still act as a user."""

from typing import Protocol

from auth_ms import users_client


class _User(Protocol):
    @property
    def is_admin(self) -> bool: ...


def is_allowed(actor_id: int | None, *, user: _User) -> bool:
    """True when nobody acts as `user`; or `actor_id` does, who is an active admin now, and `user` is none.

    An admin is never acted as, so that nobody gains the rights of another admin. Raises ServiceUnavailable.
    """
    if actor_id is None:
        return True
    actor = None if user.is_admin else users_client.find_rights(user_id=actor_id)
    return actor is not None and actor.is_active and actor.is_admin
