"""The third step: no two users of one canonical address. Those who have one together are set apart, and logged."""

from typing import Any

import django.contrib.postgres.indexes
import django.db.models.functions.text
from django.db import migrations, models

from users_ms.accounts import canonicalisation


def set_apart(apps: Any, schema_editor: Any) -> None:
    canonicalisation.set_collisions_apart(schema_editor.connection)


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_fill_canonical_addresses'),
    ]

    operations = [
        migrations.RunSQL('LOCK TABLE accounts_user IN SHARE ROW EXCLUSIVE MODE', migrations.RunSQL.noop),
        migrations.RunPython(set_apart, migrations.RunPython.noop),
        migrations.RemoveConstraint(
            model_name='user',
            name='user_email_unique',
        ),
        migrations.AddConstraint(
            model_name='user',
            constraint=models.UniqueConstraint(fields=('email_canonical',), name='user_email_unique'),
        ),
    ]
