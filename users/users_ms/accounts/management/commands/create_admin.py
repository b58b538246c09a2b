"""`manage.py create_admin --email EMAIL`: the first admin. The password is never an argument."""

import getpass
import os
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rest_framework.exceptions import ValidationError

from chassis import fields
from users_ms.accounts import serializers, services
from users_ms.accounts.models import User


class Command(BaseCommand):
    help = (
        "Gives a user the rights of an admin, or creates an admin with a password from ADMIN_PASSWORD_FILE, "
        "ADMIN_PASSWORD or a prompt."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        email = options["email"]
        try:
            fields.Email().run_validation(email)
            try:
                user, created = services.make_admin(email=email, password=None)
            except services.UserNotFound:
                password = serializers.Password().run_validation(_read_password())
                serializers.check_password_policy(password, user=User(email=email))
                user, created = services.make_admin(email=email, password=password)
        except ValidationError as error:
            raise CommandError(_sentence(error.detail)) from error
        done = "created as an admin" if created else "is an admin now (sign in again to use it)"
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
