"""Every variable that auth-ms reads, with its default and meaning."""

from chassis.operations.environment import ConfigurationError, Environment
from chassis.operations.settings import shared_settings
from chassis.security.password_settings import password_settings

environment = Environment("auth-ms")

globals().update(
    shared_settings(
        environment,
        import_root="auth_ms",
        applications=["django.contrib.postgres", "chassis.outbox", "chassis.security.rate_limits", "auth_ms"],
        awaited_queues={
            "user_login_event": ["login_email_notification", "login_sms_notification", "login_webhook_notification"],
            "password_reset_requested_event": ["password_reset_email_notification"],
            "email_verification_requested_event": ["email_verification_email_notification"],
            "email_change_requested_event": ["email_change_email_notification"],
            "email_sign_in_requested_event": ["email_sign_in_email_notification"],
            "sign_in_changed_event": ["sign_in_changed_email_notification", "sign_in_changed_webhook_notification"],
            "factor_enrolment_requested_event": ["factor_enrolment_email_notification"],
            "phone_verification_requested_event": ["phone_verification_sms_notification"],
            "client_logout_event": ["client_logout_delivery"],
            "client_changed_event": ["client_changed_webhook_notification"],
            "sessions_ended_event": ["sessions_ended_webhook_notification"],
        },
    )
)
REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"] = ["auth_ms.sessions.authentication.LiveSession"]  # noqa: F821
PRUNERS += [  # noqa: F821
    "chassis.security.rate_limits.services.prune",
    "auth_ms.audit.services.prune",
    "auth_ms.keys.services.signing_keys.prune",
    "auth_ms.sign_in.services.lockout.prune",
    "auth_ms.sign_in.services.login.prune",
    "auth_ms.sign_in.services.email_codes.prune",
    "auth_ms.recovery.services.mailed_tokens.prune",
    "auth_ms.factors.services.passkeys.prune",
    "auth_ms.recovery.services.phones.prune",
    "auth_ms.recovery.services.password_changes.prune",
    "auth_ms.provider.services.pruning.prune",
    "auth_ms.external.services.sign_ins.prune",
    "auth_ms.personal_tokens.services.prune",
    "auth_ms.sessions.services.prune",
]
SPECTACULAR_SETTINGS["ENUM_NAME_OVERRIDES"] = {  # noqa: F821
    "SecondFactorMethod": "auth_ms.factors.serializers.METHODS",
    "OAuthGrantType": "auth_ms.provider.metadata.GRANT_TYPES",
    "RegisteredGrantType": "auth_ms.provider.services.registration.GRANT_TYPES",
    "SigningAlgorithmEnum": "auth_ms.provider.models.OAuthClient.Algorithm",
}
# Tables that the service's role may only insert into and read, so that an attacker cannot cover their tracks.
APPEND_ONLY_TABLES = ["sign_in_auditevent"]

KEY_SOURCE = "auth_ms.keys.services.signing_keys.OwnKeys"
AUTHORITY = "auth_ms.personal_tokens.authority.SessionsTokensAndAccounts"
USERS_URL = environment.url("USERS_URL", "users-ms, such as http://users-ms:4000", schemes=["http", "https"])
SIGNING_KEY_ENCRYPTION_KEYS = environment.secrets(
    "SIGNING_KEY_ENCRYPTION_KEY",
    "encrypts private signing keys, TOTP secrets and client secrets of external providers in auth-db; random,"
    " at least 32 characters; during a replacement the new and the old one, separated by a comma",
)
ACCESS_TOKEN_SECONDS = environment.integer(
    "ACCESS_TOKEN_SECONDS", "how long an access token is valid", default=300, minimum=30, maximum=3600
)
REFRESH_TOKEN_SECONDS = environment.integer(
    "REFRESH_TOKEN_SECONDS", "how long a session lasts without use", default=30 * 24 * 3600, minimum=300
)
SESSION_SECONDS = environment.integer(
    "SESSION_SECONDS", "maximum lifetime of a session", default=90 * 24 * 3600, minimum=300
)
OFFLINE_REFRESH_TOKEN_SECONDS = environment.integer(
    "OFFLINE_REFRESH_TOKEN_SECONDS",
    "how long an application with offline_access keeps its access without use; as REFRESH_TOKEN_SECONDS unless set",
    default=REFRESH_TOKEN_SECONDS,
    minimum=300,
)
OFFLINE_SESSION_SECONDS = environment.integer(
    "OFFLINE_SESSION_SECONDS",
    "how long an application with offline_access keeps its access at most; as SESSION_SECONDS unless set",
    default=SESSION_SECONDS,
    minimum=300,
)
FACTORS = environment.some_of(
    "FACTORS",
    "second factors that users may add: totp, passkeys, recovery_codes; those that they have go on working",
    choices=["totp", "passkeys", "recovery_codes"],
    default="totp,passkeys,recovery_codes",
)
SECOND_FACTOR_REQUIRED = environment.boolean(
    "SECOND_FACTOR_REQUIRED",
    "whether users without a second factor must add one, with a code that is mailed to them, before they are signed in",
    default=False,
)
if SECOND_FACTOR_REQUIRED and not {"totp", "passkeys"} & FACTORS:
    raise ConfigurationError("auth-ms cannot start: FACTORS has no totp or passkeys; SECOND_FACTOR_REQUIRED needs one.")
PUBLIC_URL = environment.url(
    "PUBLIC_URL",
    "the public address of the gateway, without a path: the issuer that OpenID Connect clients are given",
    schemes=["http", "https"],
    default="http://localhost:8080",
).rstrip("/")
PRIVATE_CLIENT_NETWORKS = environment.networks(
    "PRIVATE_CLIENT_NETWORKS",
    "private networks in which auth-ms may request URLs of clients and of external providers, by http too, such as"
    " 10.0.0.0/8; comma-separated",
)
CLIENT_REGISTRATION = environment.choice(
    "CLIENT_REGISTRATION",
    "token: OpenID Connect clients register themselves with an initial access token (RFC 7591)",
    choices=["off", "token"],
    default="off",
)
TOKEN_REQUESTS_PER_MINUTE = environment.integer(
    "TOKEN_REQUESTS_PER_MINUTE",
    "authenticated requests to oauth/token, for each client and address that it calls from",
    default=6000,
    minimum=1,
)
LOGOUT_DELIVERY_HOURS = environment.integer(
    "LOGOUT_DELIVERY_HOURS",
    "how long a back-channel logout is retried before it is dead-lettered",
    default=24,
    minimum=1,
    maximum=720,
)
globals().update(password_settings(environment))
PASSWORD_RESET_SECONDS = environment.integer(
    "PASSWORD_RESET_SECONDS", "how long a mailed password reset token is valid", default=3600, minimum=60
)
EMAIL_VERIFICATION_SECONDS = environment.integer(
    "EMAIL_VERIFICATION_SECONDS", "how long a mailed verification token is valid", default=86400, minimum=60
)
EMAIL_VERIFICATION_REQUIRED = environment.boolean(
    "EMAIL_VERIFICATION_REQUIRED",
    "whether users sign in only once they have verified their email address",
    default=False,
)
EMAIL_SIGN_IN = environment.choice(
    "EMAIL_SIGN_IN",
    "sign_in: users may sign in with a code sent by email instead of the password",
    choices=["off", "sign_in"],
    default="off",
)
EMAIL_SIGN_INS_PER_HOUR = environment.integer(
    "EMAIL_SIGN_INS_PER_HOUR", "codes to sign in by email requested per client address", default=30, minimum=1
)
EMAIL_CHANGE_UNDO_SECONDS = environment.integer(
    "EMAIL_CHANGE_UNDO_SECONDS",
    "how long the token to undo a change of address is valid; users-ms keeps the old address for 72 hours",
    default=72 * 3600,
    minimum=60,
    maximum=72 * 3600,
)
PHONE_CODES_PER_HOUR = environment.integer(
    "PHONE_CODES_PER_HOUR", "codes by text message per hour, for each account and each number", default=3, minimum=1
)
PHONE_CODES_PER_DAY = environment.integer(
    "PHONE_CODES_PER_DAY", "codes by text message per day, for each account and each number", default=10, minimum=1
)
SEALING_PUBLIC_KEY = environment.text(
    "SEALING_PUBLIC_KEY",
    "encrypts mailed tokens and codes for notification-ms; base64url of 32 bytes. Web processes and the event worker of"
    " auth-ms need it",
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
    "failed logins from one address, over all accounts, before the address is locked",
    default=50,
    minimum=1,
)
RECOVERY_REQUESTS_PER_HOUR = environment.integer(
    "RECOVERY_REQUESTS_PER_HOUR", "password reset requests per client address", default=30, minimum=1
)
PASSKEY_CHALLENGES_PER_10_MINUTES = environment.integer(
    "PASSKEY_CHALLENGES_PER_10_MINUTES",
    "passkey logins begun per client address, and passkey registrations begun per user",
    default=30,
    minimum=1,
)
EXTERNAL_SIGN_INS_PER_10_MINUTES = environment.integer(
    "EXTERNAL_SIGN_INS_PER_10_MINUTES",
    "sign-ins with other providers begun per client address",
    default=100,
    minimum=1,
)
IMPERSONATION_SECONDS = environment.integer(
    "IMPERSONATION_SECONDS",
    "how long an admin may act as a user to help; 0: nobody may, and whoever does now has to stop",
    default=0,
    minimum=0,
    maximum=4 * 3600,
)
IMPERSONATION_NOTICE = environment.boolean(
    "IMPERSONATION_NOTICE", "whether users are told by email that an admin acts as them", default=True
)
PERSONAL_TOKENS_PER_USER = environment.integer(
    "PERSONAL_TOKENS_PER_USER",
    "personal access tokens that a user may have; 0: nobody makes any, and those that there are go on working",
    default=20,
    minimum=0,
    maximum=1000,
)
PERSONAL_TOKEN_MAXIMUM_DAYS = environment.integer(
    "PERSONAL_TOKEN_MAXIMUM_DAYS",
    "how long a personal access token is valid at most; a smaller number counts for those that there are, too",
    default=365,
    minimum=1,
    maximum=3650,
)
PERSONAL_TOKEN_REQUESTS_PER_MINUTE = environment.integer(
    "PERSONAL_TOKEN_REQUESTS_PER_MINUTE", "requests with one personal access token", default=600, minimum=1
)
WEBAUTHN_RP_ID = environment.text("WEBAUTHN_RP_ID", "the domain of the passkeys", default="localhost")
WEBAUTHN_RP_NAME = environment.text("WEBAUTHN_RP_NAME", "the name that authenticators show", default="Tessera")
WEBAUTHN_ORIGINS = [
    origin.strip()
    for origin in environment.text(
        "WEBAUTHN_ORIGINS", "the origins that may use passkeys, separated by commas", default="http://localhost:8080"
    ).split(",")
]
QUEUE_TYPE = environment.choice(
    "QUEUE_TYPE", "quorum for a broker with three nodes", choices=["classic", "quorum"], default="classic"
)

OPENAPI_LINKS = {
    "login": {"200": {"refresh": {"body": {"refresh_token": "$response.body#/refresh_token"}}}},
    "refresh": {"200": {"introspect": {"body": {"token": "$response.body#/access_token"}}}},
    "add_passkey": {"201": {"remove_passkey": {"passkey_id": "$response.body#/passkey/id"}}},
}
