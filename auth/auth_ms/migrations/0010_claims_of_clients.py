from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('sign_in', '0009_logout'),
    ]

    operations = [
        migrations.AddField(
            model_name='oauthclient',
            name='claims',
            field=models.JSONField(db_default={}, default=dict, help_text='of the scope `attributes`: name to source'),
        ),
    ]
