"""`manage.py export_users > users.ndjson`: what `make export` runs. All users, as `import_users` reads them."""

import json
from typing import Any

from django.core.management.base import BaseCommand

from users_ms.portability import selectors


class Command(BaseCommand):
    help = "Writes all users with their password hashes to the standard output, one JSON object a line."

    def handle(self, *args: Any, **options: Any) -> None:
        for row in selectors.exported_rows():
            self.stdout.write(json.dumps(row, ensure_ascii=False))
