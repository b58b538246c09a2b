from django.urls import path

from auth_ms.sign_in.views import audit, login, recovery, second_factors, sessions

urlpatterns = [
    path("auth/login", login.Login.as_view(), name="login"),
    path("auth/login/mfa", login.SecondFactor.as_view(), name="login-second-factor"),
    path("auth/login/passkey", login.PasskeyLogin.as_view(), name="login-passkey"),
    path("auth/login/passkey/options", login.PasskeyLoginOptions.as_view(), name="login-passkey-options"),
    path("auth/refresh", sessions.Refresh.as_view(), name="refresh"),
    path("auth/logout", sessions.Logout.as_view(), name="logout"),
    path("auth/logout-all", sessions.LogoutAll.as_view(), name="logout-all"),
    path("auth/sessions", sessions.SessionCollection.as_view(), name="sessions"),
    path("auth/sessions/<int:session_id>", sessions.SessionDetail.as_view(), name="session"),
    path("auth/introspect", sessions.Introspection.as_view(), name="introspect"),
    path("auth/password/change", recovery.PasswordChange.as_view(), name="password-change"),
    path("auth/password/forgot", recovery.ForgottenPassword.as_view(), name="password-forgot"),
    path("auth/password/reset", recovery.PasswordReset.as_view(), name="password-reset"),
    path("auth/email/verification", recovery.EmailVerificationRequest.as_view(), name="email-verification"),
    path("auth/email/verify", recovery.EmailVerification.as_view(), name="email-verify"),
    path("auth/mfa", second_factors.Factors.as_view(), name="second-factors"),
    path("auth/mfa/totp", second_factors.TOTP.as_view(), name="totp"),
    path("auth/mfa/totp/confirm", second_factors.TOTPConfirmation.as_view(), name="totp-confirmation"),
    path("auth/mfa/recovery-codes", second_factors.RecoveryCodes.as_view(), name="recovery-codes"),
    path("auth/passkeys", second_factors.PasskeyCollection.as_view(), name="passkeys"),
    path("auth/passkeys/options", second_factors.PasskeyOptions.as_view(), name="passkey-options"),
    path("auth/passkeys/<int:passkey_id>", second_factors.PasskeyDetail.as_view(), name="passkey"),
    path("auth/audit-log", audit.AuditLog.as_view(), name="audit-log"),
    path("internal/session", sessions.InternalSession.as_view(), name="internal-session"),
    path("internal/principal", sessions.InternalPrincipal.as_view(), name="internal-principal"),
    path(".well-known/jwks.json", sessions.KeySet.as_view(), name="keys"),
]
