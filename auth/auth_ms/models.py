"""The models of all capabilities, in one place for Django, which looks for them here."""

from auth_ms.audit.models import AuditEvent, FollowedChange
from auth_ms.external.models import ExternalIdentity, ExternalProvider, ExternalSignIn
from auth_ms.factors.models import TOTP, Passkey, PasskeyChallenge, PendingLogin, RecoveryCode, SecondFactorFailures
from auth_ms.keys.models import SigningKey
from auth_ms.personal_tokens.models import PersonalToken
from auth_ms.provider.models import (
    AuthorizationRequest,
    ClientSecret,
    Consent,
    DeviceAuthorization,
    Grant,
    GrantRefreshToken,
    LogoutDelivery,
    OAuthClient,
    RevokedAccessToken,
    UsedJWT,
)
from auth_ms.recovery.models import OneTimeToken, PasswordChange, PhoneCode
from auth_ms.sessions.models import BrowserSession, RefreshToken, Session
from auth_ms.sign_in.models import EmailCode, LoginFailures

__all__ = [
    "TOTP",
    "AuditEvent",
    "AuthorizationRequest",
    "BrowserSession",
    "ClientSecret",
    "Consent",
    "DeviceAuthorization",
    "EmailCode",
    "ExternalIdentity",
    "ExternalProvider",
    "ExternalSignIn",
    "FollowedChange",
    "Grant",
    "GrantRefreshToken",
    "LoginFailures",
    "LogoutDelivery",
    "OAuthClient",
    "OneTimeToken",
    "Passkey",
    "PasskeyChallenge",
    "PasswordChange",
    "PendingLogin",
    "PersonalToken",
    "PhoneCode",
    "RecoveryCode",
    "RefreshToken",
    "RevokedAccessToken",
    "SecondFactorFailures",
    "Session",
    "SigningKey",
    "UsedJWT",
]
