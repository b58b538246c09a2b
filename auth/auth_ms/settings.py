"""Every variable that auth-ms reads, with its default and meaning."""

from chassis.operations.environment import Environment
from chassis.operations.settings import shared_settings
from chassis.security.password_settings import password_settings

environment = Environment("auth-ms")

globals().update(
    shared_settings(
        environment,
        import_root="auth_ms",
        applications=["django.contrib.postgres", "chassis.outbox", "chassis.security.rate_limits", "auth_ms"],
        awaited_queues={
            "user_login_event": ["login_email_notification", "login_sms_notification"],
            "password_reset_requested_event": ["password_reset_email_notification"],
            "email_verification_requested_event": ["email_verification_email_notification"],
            "email_change_requested_event": ["email_change_email_notification"],
            "sign_in_changed_event": ["sign_in_changed_email_notification"],
            "phone_verification_requested_event": ["phone_verification_sms_notification"],
        },
    )
)
REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"] = ["auth_ms.sessions.authentication.LiveSession"]  # noqa: F821
PRUNERS += [  # noqa: F821
    "chassis.security.rate_limits.services.prune",
    "auth_ms.audit.services.prune",
    "auth_ms.keys.services.prune",
    "auth_ms.sign_in.lockout.prune",
    "auth_ms.sign_in.services.prune",
    "auth_ms.recovery.mailed_tokens.prune",
    "auth_ms.factors.passkeys.prune",
    "auth_ms.recovery.phones.prune",
    "auth_ms.recovery.services.prune",
    "auth_ms.sessions.services.prune",
]
SPECTACULAR_SETTINGS["ENUM_NAME_OVERRIDES"] = {"SecondFactorMethod": "auth_ms.serializers.METHODS"}  # noqa: F821
# What the service's role may only add to and read: nobody who takes the service over can clean up behind them.
APPEND_ONLY_TABLES = ["sign_in_auditevent"]

KEY_SOURCE = "auth_ms.keys.services.OwnKeys"
AUTHORITY = "auth_ms.sessions.authority.SessionsAndAccounts"
USERS_URL = environment.url("USERS_URL", "users-ms, such as http://users-ms:4000", schemes=["http", "https"])
SIGNING_KEY_ENCRYPTION_KEYS = environment.secrets(
    "SIGNING_KEY_ENCRYPTION_KEY",
    "encrypts what auth-db must not show: private signing keys, TOTP secrets; random, at least 32 characters;"
    " while it is replaced, the new one and the old one with a comma between",
)
ACCESS_TOKEN_SECONDS = environment.integer(
    "ACCESS_TOKEN_SECONDS", "how long an access token is good for", default=300, minimum=30, maximum=3600
)
REFRESH_TOKEN_SECONDS = environment.integer(
    "REFRESH_TOKEN_SECONDS", "how long a session lasts without being used", default=30 * 24 * 3600, minimum=300
)
SESSION_SECONDS = environment.integer(
    "SESSION_SECONDS", "how long a session lasts at most, however much it is used", default=90 * 24 * 3600, minimum=300
)
globals().update(password_settings(environment))
PASSWORD_RESET_SECONDS = environment.integer(
    "PASSWORD_RESET_SECONDS", "how long a mailed token can set a new password", default=3600, minimum=60
)
EMAIL_VERIFICATION_SECONDS = environment.integer(
    "EMAIL_VERIFICATION_SECONDS", "how long a mailed token can verify an address", default=86400, minimum=60
)
EMAIL_CHANGE_UNDO_SECONDS = environment.integer(
    "EMAIL_CHANGE_UNDO_SECONDS",
    "how long the token that is mailed to the old address can undo a change of address; users-ms keeps the old address"
    " for 72 hours",
    default=72 * 3600,
    minimum=60,
    maximum=72 * 3600,
)
PHONE_CODES_PER_HOUR = environment.integer(
    "PHONE_CODES_PER_HOUR", "how many codes an account, and a number, is sent by text message", default=3, minimum=1
)
PHONE_CODES_PER_DAY = environment.integer(
    "PHONE_CODES_PER_DAY", "the same in a day, because text messages cost money", default=10, minimum=1
)
SEALING_PUBLIC_KEY = environment.text(
    "SEALING_PUBLIC_KEY",
    "seals mailed tokens and codes to notification-ms; base64url of 32 bytes. Web and event worker need it",
    default="",
)
LOGIN_FAILURES_OF_AN_ACCOUNT = environment.integer(
    "LOGIN_FAILURES_OF_AN_ACCOUNT",
    "failed logins of one account from one address before that pair is locked, at first for 30 seconds",
    default=5,
    minimum=1,
)
LOGIN_FAILURES_OF_AN_ADDRESS = environment.integer(
    "LOGIN_FAILURES_OF_AN_ADDRESS",
    "failed logins from one address, whatever the account, before the address is locked",
    default=50,
    minimum=1,
)
RECOVERY_REQUESTS_PER_HOUR = environment.integer(
    "RECOVERY_REQUESTS_PER_HOUR", "how often one address may ask for a new password", default=30, minimum=1
)
PASSKEY_CHALLENGES_PER_10_MINUTES = environment.integer(
    "PASSKEY_CHALLENGES_PER_10_MINUTES",
    "how often one address may begin to sign in with a passkey, and one user to add one",
    default=30,
    minimum=1,
)
WEBAUTHN_RP_ID = environment.text("WEBAUTHN_RP_ID", "the domain that passkeys are for", default="localhost")
WEBAUTHN_RP_NAME = environment.text("WEBAUTHN_RP_NAME", "what authenticators call this installation", default="Tessera")
WEBAUTHN_ORIGINS = [
    origin.strip()
    for origin in environment.text(
        "WEBAUTHN_ORIGINS", "the pages that may use passkeys, with commas between", default="http://localhost:8080"
    ).split(",")
]
QUEUE_TYPE = environment.choice(
    "QUEUE_TYPE", "quorum where the broker has three nodes", choices=["classic", "quorum"], default="classic"
)

OPENAPI_LINKS = {
    "login": {"200": {"refresh": {"body": {"refresh_token": "$response.body#/refresh_token"}}}},
    "refresh": {"200": {"introspect": {"body": {"token": "$response.body#/access_token"}}}},
    "add_passkey": {"201": {"remove_passkey": {"passkey_id": "$response.body#/passkey/id"}}},
}
