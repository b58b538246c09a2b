from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('sign_in', '0003_failures_of_the_audit_log'),
    ]

    operations = [
        migrations.CreateModel(
            name='SecondFactorFailures',
            fields=[
                ('user_id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('failures', models.PositiveIntegerField()),
            ],
        ),
    ]
