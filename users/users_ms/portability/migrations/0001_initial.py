import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0007_longer_password_hashes'),
    ]

    operations = [
        migrations.CreateModel(
            name='ImportedUser',
            fields=[
                ('external_id', models.CharField(max_length=255, primary_key=True, serialize=False)),
                ('imported_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('user', models.OneToOneField(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='accounts.user')),
            ],
        ),
        migrations.RunSQL(
            "ALTER TABLE portability_importeduser ADD CONSTRAINT imported_user_of"
            " FOREIGN KEY (user_id) REFERENCES accounts_user (id) ON DELETE SET NULL",
            "ALTER TABLE portability_importeduser DROP CONSTRAINT imported_user_of",
        ),
    ]
