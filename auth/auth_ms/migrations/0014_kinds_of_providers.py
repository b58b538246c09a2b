from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('sign_in', '0013_offline_sessions'),
    ]

    operations = [
        migrations.AddField(
            model_name='externalprovider',
            name='kind',
            field=models.CharField(choices=[('openid', 'Openid'), ('github', 'Github'), ('apple', 'Apple')], db_default='openid', default='openid', max_length=10),
        ),
        migrations.AddField(
            model_name='externalprovider',
            name='team_id',
            field=models.CharField(blank=True, db_default='', default='', help_text='of Apple', max_length=20),
        ),
        migrations.AddField(
            model_name='externalprovider',
            name='key_id',
            field=models.CharField(blank=True, db_default='', default='', help_text='of Apple', max_length=20),
        ),
        migrations.AlterField(
            model_name='externalprovider',
            name='client_secret_encrypted',
            field=models.BinaryField(help_text='of Apple: the private key'),
        ),
    ]
