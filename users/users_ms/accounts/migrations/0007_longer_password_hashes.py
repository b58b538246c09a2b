from django.db import migrations, models


class Migration(migrations.Migration):
    """Only the catalogue changes: PostgreSQL rewrites no row for a longer varchar."""

    dependencies = [
        ('accounts', '0006_metadata'),
    ]

    operations = [
        migrations.AlterField(
            model_name='user',
            name='password_hash',
            field=models.CharField(max_length=512),
        ),
    ]
