import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('sign_in', '0011_presentation_of_clients'),
    ]

    operations = [
        migrations.AddField(
            model_name='pendinglogin',
            name='methods',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=16), db_default=['pwd'], size=None),
        ),
        migrations.AlterField(
            model_name='auditevent',
            name='event',
            field=models.CharField(choices=[('login', 'Login'), ('second_factor', 'Second Factor'), ('login_locked', 'Login Locked'), ('token_refresh', 'Token Refresh'), ('refresh_token_reuse', 'Refresh Token Reuse'), ('logout', 'Logout'), ('logout_all', 'Logout All'), ('session_revoked', 'Session Revoked'), ('password_change', 'Password Change'), ('password_forgotten', 'Password Forgotten'), ('password_reset', 'Password Reset'), ('email_verification', 'Email Verification'), ('email_change_requested', 'Email Change Requested'), ('email_change_cancelled', 'Email Change Cancelled'), ('email_changed', 'Email Changed'), ('email_change_undone', 'Email Change Undone'), ('phone_changed', 'Phone Changed'), ('phone_verification', 'Phone Verification'), ('phone_verified', 'Phone Verified'), ('rights_changed', 'Rights Changed'), ('activated', 'Activated'), ('deactivated', 'Deactivated'), ('totp_enabled', 'Totp Enabled'), ('totp_disabled', 'Totp Disabled'), ('recovery_codes', 'Recovery Codes'), ('passkey_added', 'Passkey Added'), ('passkey_removed', 'Passkey Removed'), ('second_factors_removed', 'Second Factors Removed'), ('identity_linked', 'Identity Linked'), ('identity_unlinked', 'Identity Unlinked'), ('external_provider_created', 'External Provider Created'), ('external_provider_changed', 'External Provider Changed'), ('external_provider_deleted', 'External Provider Deleted'), ('client_created', 'Client Created'), ('client_changed', 'Client Changed'), ('client_deleted', 'Client Deleted'), ('client_secret_rotated', 'Client Secret Rotated'), ('client_authentication', 'Client Authentication'), ('consent_given', 'Consent Given'), ('consent_changed', 'Consent Changed'), ('consent_revoked', 'Consent Revoked'), ('authorization', 'Authorization'), ('authorization_code_replay', 'Authorization Code Replay'), ('grant_revoked', 'Grant Revoked'), ('signing_key_rotated', 'Signing Key Rotated'), ('user_deleted', 'User Deleted')], max_length=32),
        ),
        migrations.AlterField(
            model_name='authorizationrequest',
            name='client',
            field=models.ForeignKey(help_text="none: Tessera's own console", null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='sign_in.oauthclient'),
        ),
        migrations.CreateModel(
            name='ExternalProvider',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('slug', models.CharField(help_text='names it in URLs; part of the redirect URI registered there', max_length=40)),
                ('name', models.CharField(help_text='on the button', max_length=60)),
                ('issuer', models.CharField(help_text='as its discovery document says it', max_length=500)),
                ('client_id', models.CharField(help_text='of Tessera, registered there', max_length=255)),
                ('client_secret_encrypted', models.BinaryField()),
                ('scopes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=100), default=list, size=None)),
                ('trusts_email', models.BooleanField(default=False, help_text='its `email_verified` is believed for new accounts')),
                ('counts_as_second_factor', models.BooleanField(default=False, help_text='`mfa` in its `amr` is believed')),
                ('creates_accounts', models.BooleanField(default=True, help_text='for users who have none with their address')),
                ('enabled', models.BooleanField(default=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('slug',), name='external_provider_slug_unique'), models.UniqueConstraint(fields=('issuer',), name='external_provider_issuer_unique')],
            },
        ),
        migrations.CreateModel(
            name='ExternalSignIn',
            fields=[
                ('state_hash', models.BinaryField(max_length=32, primary_key=True, serialize=False)),
                ('browser_hash', models.BinaryField(max_length=32)),
                ('request_token', models.CharField(help_text='of the authorization request, for this browser only', max_length=128)),
                ('links_session_id', models.BigIntegerField(help_text='whose user wants to link the identity', null=True)),
                ('expires_at', models.DateTimeField(db_index=True)),
                ('provider', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='sign_in.externalprovider')),
            ],
        ),
        migrations.CreateModel(
            name='PendingIdentity',
            fields=[
                ('request_hash', models.BinaryField(help_text="of the authorization request's token", max_length=32, primary_key=True, serialize=False)),
                ('subject', models.CharField(max_length=255)),
                ('email', models.CharField(blank=True, default='', max_length=254)),
                ('expires_at', models.DateTimeField(db_index=True)),
                ('provider', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='sign_in.externalprovider')),
            ],
        ),
        migrations.CreateModel(
            name='ExternalIdentity',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('subject', models.CharField(max_length=255)),
                ('user_id', models.BigIntegerField(db_index=True, help_text='none while users-ms creates the account', null=True)),
                ('email', models.CharField(blank=True, default='', max_length=254)),
                ('linked_at', models.DateTimeField()),
                ('last_used_at', models.DateTimeField(null=True)),
                ('provider', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='sign_in.externalprovider')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('provider', 'subject'), name='external_identity_unique')],
            },
        ),
    ]
