from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0005_one_user_of_a_canonical_address'),
    ]

    operations = [
        migrations.AddField(
            model_name='user',
            name='metadata',
            field=models.JSONField(db_default={}, default=dict, help_text='written by admins only'),
        ),
        migrations.AlterField(
            model_name='user',
            name='attributes',
            field=models.JSONField(default=dict, help_text='written by the user'),
        ),
    ]
