"""The second step: the canonical form of every address that is stored, in batches outside a transaction."""

from typing import Any

import django.contrib.postgres.indexes
import django.db.models.functions.text
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

from users_ms.accounts import canonicalisation


def fill(apps: Any, schema_editor: Any) -> None:
    canonicalisation.fill(schema_editor.connection)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('accounts', '0003_canonical_and_pending_addresses'),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
        # What an interrupted run has left behind, which may be incomplete.
        migrations.RunSQL('DROP INDEX CONCURRENTLY IF EXISTS user_email', migrations.RunSQL.noop),
        AddIndexConcurrently(
            model_name='user',
            index=models.Index(django.contrib.postgres.indexes.OpClass(django.db.models.functions.text.Lower('email'), name='text_pattern_ops'), models.F('id'), name='user_email'),
        ),
    ]
