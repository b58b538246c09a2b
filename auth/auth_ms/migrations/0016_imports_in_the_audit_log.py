from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('sign_in', '0015_identities_wait_in_their_request'),
    ]

    operations = [
        migrations.AlterField(
            model_name='auditevent',
            name='event',
            field=models.CharField(choices=[('login', 'Login'), ('second_factor', 'Second Factor'), ('login_locked', 'Login Locked'), ('token_refresh', 'Token Refresh'), ('refresh_token_reuse', 'Refresh Token Reuse'), ('logout', 'Logout'), ('logout_all', 'Logout All'), ('session_revoked', 'Session Revoked'), ('password_change', 'Password Change'), ('password_forgotten', 'Password Forgotten'), ('password_reset', 'Password Reset'), ('email_verification', 'Email Verification'), ('email_change_requested', 'Email Change Requested'), ('email_change_cancelled', 'Email Change Cancelled'), ('email_changed', 'Email Changed'), ('email_change_undone', 'Email Change Undone'), ('phone_changed', 'Phone Changed'), ('phone_verification', 'Phone Verification'), ('phone_verified', 'Phone Verified'), ('rights_changed', 'Rights Changed'), ('activated', 'Activated'), ('deactivated', 'Deactivated'), ('totp_enabled', 'Totp Enabled'), ('totp_disabled', 'Totp Disabled'), ('recovery_codes', 'Recovery Codes'), ('passkey_added', 'Passkey Added'), ('passkey_removed', 'Passkey Removed'), ('second_factors_removed', 'Second Factors Removed'), ('identity_linked', 'Identity Linked'), ('identity_unlinked', 'Identity Unlinked'), ('external_provider_created', 'External Provider Created'), ('external_provider_changed', 'External Provider Changed'), ('external_provider_deleted', 'External Provider Deleted'), ('client_created', 'Client Created'), ('client_changed', 'Client Changed'), ('client_deleted', 'Client Deleted'), ('client_secret_rotated', 'Client Secret Rotated'), ('client_authentication', 'Client Authentication'), ('consent_given', 'Consent Given'), ('consent_changed', 'Consent Changed'), ('consent_revoked', 'Consent Revoked'), ('authorization', 'Authorization'), ('authorization_code_replay', 'Authorization Code Replay'), ('grant_revoked', 'Grant Revoked'), ('signing_key_rotated', 'Signing Key Rotated'), ('user_deleted', 'User Deleted'), ('users_imported', 'Users Imported')], max_length=32),
        ),
    ]
