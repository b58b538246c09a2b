"""`manage.py reseal`: what auth-db keeps encrypted, with the newest SIGNING_KEY_ENCRYPTION_KEY."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from auth_ms.keys import vault


class Command(BaseCommand):
    help = (
        "Encrypts private signing keys and TOTP secrets with the first of SIGNING_KEY_ENCRYPTION_KEY."
        " After it, the others are not needed any more. It may run again, and while people sign in."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            resealed, seen = vault.reseal()
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{resealed} of {seen} values were encrypted with an older secret; the first one now opens all of them."
        )
