from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('sign_in', '0004_bound_tokens_and_changes_of_accounts'),
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
