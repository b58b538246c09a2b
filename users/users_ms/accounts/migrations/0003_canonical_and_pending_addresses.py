"""The first of three steps to canonical addresses: columns, and triggers that fill them for code that does not know them."""

import django.db.models.deletion
from django.db import migrations, models

# Code of an older version writes `email` alone. What it writes in ASCII has its lower case as its canonical form. A
# release that comes when no such code runs any more drops the triggers.
_FILL_FOR_OLDER_CODE = """
    CREATE FUNCTION accounts_user_fill_email_canonical() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' OR NEW.email ~ '^[ -~]*$' THEN
            NEW.email_canonical := lower(NEW.email);
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER accounts_user_email_canonical_insert BEFORE INSERT ON accounts_user
        FOR EACH ROW WHEN (NEW.email_canonical = '') EXECUTE FUNCTION accounts_user_fill_email_canonical();
    CREATE TRIGGER accounts_user_email_canonical_update BEFORE UPDATE OF email ON accounts_user
        FOR EACH ROW WHEN (NEW.email IS DISTINCT FROM OLD.email AND NEW.email_canonical = OLD.email_canonical)
        EXECUTE FUNCTION accounts_user_fill_email_canonical();
"""
_DROP = """
    DROP TRIGGER accounts_user_email_canonical_insert ON accounts_user;
    DROP TRIGGER accounts_user_email_canonical_update ON accounts_user;
    DROP FUNCTION accounts_user_fill_email_canonical();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_versions_scopes_and_repeated_sign_ups'),
    ]

    operations = [
        migrations.AlterField(
            model_name='user',
            name='email',
            field=models.CharField(help_text='as its owner writes it', max_length=254),
        ),
        migrations.AddField(
            model_name='user',
            name='email_canonical',
            field=models.CharField(db_default='', help_text='what addresses are compared by', max_length=508),
        ),
        migrations.AddField(
            model_name='user',
            name='pending_email',
            field=models.CharField(blank=True, db_default='', default='', help_text='the address that takes the place of `email` once it is verified', max_length=254),
        ),
        migrations.AddField(
            model_name='user',
            name='password_version',
            field=models.PositiveIntegerField(db_default=1, default=1, help_text='counts the passwords'),
        ),
        migrations.AddField(
            model_name='user',
            name='password_change_id',
            field=models.UUIDField(help_text='of the last change, so that it may be sent again', null=True),
        ),
        migrations.AddField(
            model_name='user',
            name='password_change_proved',
            field=models.BooleanField(db_default=False, default=False, help_text='whether the last change was the first proof of the address'),
        ),
        migrations.AddField(
            model_name='user',
            name='phone_verified',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.CreateModel(
            name='FormerAddress',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('email', models.CharField(max_length=254)),
                ('email_canonical', models.CharField(db_index=True, max_length=508)),
                ('reserved_until', models.DateTimeField(db_index=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='former_addresses', to='accounts.user')),
            ],
        ),
        migrations.RunSQL(_FILL_FOR_OLDER_CODE, _DROP),
    ]
