"""`manage.py create_admin --email EMAIL`: the first admin. The password is never an argument."""

import getpass
import os
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from chassis.http import fields
from users_ms.accounts import serializers, services
from users_ms.accounts.models import User


class Command(BaseCommand):
    help = (
        "Creates an admin with a password from ADMIN_PASSWORD_FILE, ADMIN_PASSWORD or a prompt. With --promote, makes "
        "one of a user whose address is verified: the user gets this password, and all its sessions end."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--promote", action="store_true", help="make an admin of a user who exists")

    def handle(self, *args: Any, **options: Any) -> None:
        email, promote = options["email"], options["promote"]
        try:
            email = fields.Email().run_validation(email)
            user = services.check_admin(email=email, promote=promote)  # before prompting for the password
            password = serializers.Password().run_validation(_read_password())
            serializers.check_password_policy(password, user=user or User(email=email))
            user, created = services.make_admin(email=email, password=password, promote=promote, at=timezone.now())
        except ValidationError as error:
            raise CommandError(_sentence(error.detail)) from error
        except services.UserExists as error:
            raise CommandError(f"{error} To make that user an admin, add --promote.") from error
        except services.NotVerified as error:
            raise CommandError(str(error)) from error
        done = "created as an admin" if created else "is an admin now, with this password; all sessions have ended"
        self.stdout.write(f"{user.email} (id {user.id}) {done}.")


def _sentence(detail: Any) -> str:
    messages = detail["password"] if isinstance(detail, dict) else detail
    return " ".join(str(message) for message in messages)


def _read_password() -> str:
    if path := os.environ.get("ADMIN_PASSWORD_FILE"):
        try:
            return Path(path).read_text(encoding="utf-8").rstrip("\n")
        except OSError as error:
            raise CommandError(f"ADMIN_PASSWORD_FILE cannot be read: {error.strerror}") from error
    if password := os.environ.get("ADMIN_PASSWORD"):
        return password
    if not sys.stdin.isatty():
        raise CommandError("There is no terminal to ask for a password: set ADMIN_PASSWORD_FILE or ADMIN_PASSWORD.")
    password = getpass.getpass("Password for the new admin: ")
    if getpass.getpass("The same again: ") != password:
        raise CommandError("The two passwords differ.")
    return password
