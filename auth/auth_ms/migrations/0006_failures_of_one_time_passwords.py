from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('sign_in', '0005_second_factor_failures'),
    ]

    operations = [
        migrations.AddField(
            model_name='secondfactorfailures',
            name='totp_failures',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='those of one-time passwords'),
        ),
    ]
