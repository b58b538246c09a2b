"""Every route of auth-ms."""

from django.urls import include, path

from auth_ms.accounts import views as account_views
from auth_ms.audit import views as audit_views
from auth_ms.external import views as external_views
from auth_ms.factors import views as factor_views
from auth_ms.impersonation import views as impersonation_views
from auth_ms.keys import views as key_views
from auth_ms.personal_tokens import views as personal_token_views
from auth_ms.provider.views import (
    clients,
    devices,
    documents,
    email_codes,
    external,
    interaction,
    logouts,
    pages,
    registration,
    tokens,
)
from auth_ms.recovery.views import emails, passwords, phones
from auth_ms.sessions import views as session_views
from auth_ms.sign_in import views as sign_in_views
from chassis.http.urls import shared_routes

routes = [
    path("auth/login", sign_in_views.Login.as_view(), name="login"),
    path("auth/login/email", sign_in_views.EmailLogin.as_view(), name="login-email"),
    path("auth/login/email/code", sign_in_views.EmailCode.as_view(), name="login-email-code"),
    path("auth/login/mfa", sign_in_views.SecondFactor.as_view(), name="login-second-factor"),
    path("auth/login/enrolment", sign_in_views.Enrolment.as_view(), name="login-enrolment"),
    path(
        "auth/login/enrolment/complete", sign_in_views.EnrolmentCompletion.as_view(), name="login-enrolment-completion"
    ),
    path("auth/login/passkey", sign_in_views.PasskeyLogin.as_view(), name="login-passkey"),
    path("auth/login/passkey/options", sign_in_views.PasskeyLoginOptions.as_view(), name="login-passkey-options"),
    path("auth/refresh", session_views.Refresh.as_view(), name="refresh"),
    path("auth/logout", session_views.Logout.as_view(), name="logout"),
    path("auth/logout-all", session_views.LogoutAll.as_view(), name="logout-all"),
    path("auth/sessions", session_views.SessionCollection.as_view(), name="sessions"),
    path("auth/sessions/<int:session_id>", session_views.SessionDetail.as_view(), name="session"),
    path("auth/impersonations", impersonation_views.Impersonations.as_view(), name="impersonations"),
    path("auth/introspect", session_views.Introspection.as_view(), name="introspect"),
    path("auth/password/change", passwords.PasswordChange.as_view(), name="password-change"),
    path("auth/password/forgot", passwords.ForgottenPassword.as_view(), name="password-forgot"),
    path("auth/password/reset", passwords.PasswordReset.as_view(), name="password-reset"),
    path("auth/email/verification", emails.EmailVerificationRequest.as_view(), name="email-verification"),
    path("auth/email/verify", emails.EmailVerification.as_view(), name="email-verify"),
    path("auth/email/change/undo", emails.EmailChangeUndo.as_view(), name="email-change-undo"),
    path("auth/phone/verification", phones.PhoneVerificationRequest.as_view(), name="phone-verification"),
    path("auth/phone/verify", phones.PhoneVerification.as_view(), name="phone-verify"),
    path("auth/mfa", factor_views.Factors.as_view(), name="second-factors"),
    path("auth/mfa/totp", factor_views.TOTP.as_view(), name="totp"),
    path("auth/mfa/totp/confirm", factor_views.TOTPConfirmation.as_view(), name="totp-confirmation"),
    path("auth/mfa/recovery-codes", factor_views.RecoveryCodes.as_view(), name="recovery-codes"),
    path("auth/passkeys", factor_views.PasskeyCollection.as_view(), name="passkeys"),
    path("auth/passkeys/options", factor_views.PasskeyOptions.as_view(), name="passkey-options"),
    path("auth/passkeys/<int:passkey_id>", factor_views.PasskeyDetail.as_view(), name="passkey"),
    path("auth/activity", account_views.Activity.as_view(), name="activity"),
    path("auth/export", account_views.Export.as_view(), name="export"),
    path("auth/audit-log", audit_views.AuditLog.as_view(), name="audit-log"),
    path("internal/session", session_views.InternalSession.as_view(), name="internal-session"),
    path("internal/principal", session_views.InternalPrincipal.as_view(), name="internal-principal"),
    path("internal/client", clients.InternalClient.as_view(), name="internal-client"),
    path(
        "internal/personal-token",
        personal_token_views.InternalPersonalToken.as_view(),
        name="internal-personal-token",
    ),
    path(
        "internal/personal-principal",
        personal_token_views.InternalPersonalPrincipal.as_view(),
        name="internal-personal-principal",
    ),
    path("clients", clients.ClientCollection.as_view(), name="clients"),
    path("clients/<slug:client_id>", clients.ClientDetail.as_view(), name="client"),
    path("clients/<slug:client_id>/secrets", clients.ClientSecrets.as_view(), name="client-secrets"),
    path("logout-deliveries", logouts.LogoutDeliveries.as_view(), name="logout-deliveries"),
    path("logout-deliveries/<int:delivery_id>/redeliver", logouts.LogoutRedelivery.as_view(), name="logout-redelivery"),
    path("auth/consents", clients.ConsentCollection.as_view(), name="consents"),
    path("auth/consents/<slug:client_id>", clients.ConsentDetail.as_view(), name="consent"),
    path("external-providers", external_views.ProviderCollection.as_view(), name="external-providers"),
    path("external-providers/<slug:slug>", external_views.ProviderDetail.as_view(), name="external-provider"),
    path("auth/providers", external_views.OfferedProviders.as_view(), name="offered-providers"),
    path("auth/identities", external_views.IdentityCollection.as_view(), name="identities"),
    path("auth/identities/<int:identity_id>", external_views.IdentityDetail.as_view(), name="identity"),
    path("auth/personal-tokens", personal_token_views.PersonalTokenCollection.as_view(), name="personal-tokens"),
    path(
        "auth/personal-tokens/<int:token_id>",
        personal_token_views.PersonalTokenDetail.as_view(),
        name="personal-token",
    ),
    path("oauth/external/<slug:slug>", external.Begin.as_view(), name="oauth-external"),
    path("oauth/external/<slug:slug>/callback", external.Callback.as_view(), name="oauth-external-callback"),
    path("oauth/authorize", pages.Authorize.as_view(), name="oauth-authorize"),
    path("oauth/interaction", interaction.Interaction.as_view(), name="oauth-interaction"),
    path("oauth/passkey-options", interaction.PasskeyOptions.as_view(), name="oauth-passkey-options"),
    path("oauth/email", email_codes.EmailSignIn.as_view(), name="oauth-email"),
    path("oauth/device", devices.DeviceAuthorization.as_view(), name="oauth-device"),
    path("oauth/verify", devices.Verification.as_view(), name="oauth-verify"),
    path("oauth/end-session", pages.EndSession.as_view(), name="oauth-end-session"),
    path("oauth/token", tokens.Token.as_view(), name="oauth-token"),
    path("oauth/par", tokens.PushedAuthorizationRequest.as_view(), name="oauth-par"),
    path("oauth/introspect", tokens.OAuthIntrospection.as_view(), name="oauth-introspect"),
    path("oauth/revoke", tokens.Revocation.as_view(), name="oauth-revoke"),
    path("oauth/register", registration.Registration.as_view(), name="oauth-register"),
    path("oauth/register/<slug:client_id>", registration.Registered.as_view(), name="oauth-registered"),
    path("oauth/userinfo", tokens.UserInfo.as_view(), name="oauth-userinfo"),
    path(".well-known/openid-configuration", documents.OpenIDConfiguration.as_view(), name="openid-configuration"),
    path(
        ".well-known/oauth-authorization-server",
        documents.AuthorizationServerMetadata.as_view(),
        name="authorization-server-metadata",
    ),
    path(".well-known/jwks.json", key_views.KeySet.as_view(), name="keys"),
]

urlpatterns = [path("auth-ms/", include([*shared_routes(), *routes]))]

handler400 = "chassis.http.errors.bad_request"
handler403 = "chassis.http.errors.permission_denied"
handler404 = "chassis.http.errors.not_found"
handler500 = "chassis.http.errors.server_error"
