"""The event of an import, for the audit log of auth-ms. It has no data of the users."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class UsersImported:
    """Users of another system were imported, by an admin or, without `actor_id`, by an operator."""

    type: ClassVar[str] = "users_imported_event"
    import_id: str
    imported_at: str
    accepted: int
    unchanged: int
    refused: int
    actor_id: int | None
    session_id: int | None
    address: str | None
    user_agent: str

    @property
    def subject(self) -> str:
        return f"imports/{self.import_id}"
