"""`manage.py reseal`: encrypt the secrets in auth-db with the newest SIGNING_KEY_ENCRYPTION_KEY."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import models

from auth_ms.external.models import ExternalProvider
from auth_ms.factors.models import TOTP
from auth_ms.keys.models import SigningKey
from auth_ms.keys.services import vault

ENCRYPTED_FIELDS: list[tuple[type[models.Model], str]] = [
    (SigningKey, "private_key_encrypted"),
    (TOTP, "sealed_secret"),
    (ExternalProvider, "client_secret_encrypted"),
]


class Command(BaseCommand):
    help = (
        "Encrypts private signing keys, TOTP secrets and client secrets of external providers with the first of"
        " SIGNING_KEY_ENCRYPTION_KEY."
        " After it, the others are not needed any more. It may run again, and while users sign in."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            changed, seen = vault.reencrypt(ENCRYPTED_FIELDS)
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{changed} of {seen} values were encrypted with an older secret; the first one now decrypts all of them."
        )
