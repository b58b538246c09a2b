"""`manage.py address_collisions`: users whose address collides with another user's canonical address."""

from typing import Any

from django.core.management.base import BaseCommand

from users_ms.accounts import selectors


class Command(BaseCommand):
    help = (
        "Lists the users who cannot be looked up by their address, because another user has it in another spelling. "
        "Give each another address, or delete the account."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        users = list(selectors.users_set_apart())
        for user in users:
            self.stdout.write(f"id {user.id}  {user.email}  created {user.created_at:%Y-%m-%d}")
        self.stdout.write(f"{len(users)} users are set apart.")
