from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('sign_in', '0014_kinds_of_providers'),
    ]

    operations = [
        migrations.DeleteModel(name='PendingIdentity'),
    ]
