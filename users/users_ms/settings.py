"""Every variable that users-ms reads, with its default and meaning."""

from chassis.operations.environment import ConfigurationError, Environment
from chassis.operations.settings import shared_settings
from chassis.security.password_settings import password_settings

environment = Environment("users-ms")

globals().update(
    shared_settings(
        environment,
        import_root="users_ms",
        applications=[
            "django.contrib.postgres",
            "chassis.outbox",
            "chassis.security.rate_limits",
            "users_ms.accounts",
            "users_ms.portability",
            "users_ms.organisations",
            "users_ms.scim",
        ],
        awaited_queues={
            "new_user_event": [
                "new_user_email_notification",
                "new_user_email_verification",
                "new_user_webhook_notification",
            ],
            "user_deleted_event": [
                "user_deleted_session_revocation",
                "user_deleted_data_erasure",
                "user_deleted_email_notification",
                "user_deleted_webhook_notification",
            ],
            "password_changed_event": [
                "password_changed_email_notification",
                "password_changed_session_revocation",
                "password_changed_webhook_notification",
            ],
            "account_changed_event": [
                "account_changed_audit",
                "account_changed_email_notification",
                "account_changed_webhook_notification",
            ],
            "profile_changed_event": ["profile_changed_webhook_notification"],
            "sign_up_repeated_event": ["sign_up_repeated_email_notification"],
            "organisation_changed_event": ["organisation_changed_audit", "organisation_changed_webhook_notification"],
            "organisation_invitation_event": ["organisation_invitation_email_notification"],
            "invitation_changed_event": ["invitation_changed_audit"],
            "membership_changed_event": [
                "membership_changed_audit",
                "membership_changed_email_notification",
                "membership_changed_webhook_notification",
            ],
            "users_imported_event": ["users_imported_audit"],
        },
    )
)
MIDDLEWARE += ["django.middleware.http.ConditionalGetMiddleware"]  # noqa: F821 - an ETag on every answer to a GET
PRUNERS += [  # noqa: F821
    "chassis.security.rate_limits.services.prune",
    "users_ms.accounts.services.prune",
    "users_ms.organisations.services.prune",
]

AUTHORITY = "users_ms.accounts.authority.LocalAccounts"
KEY_SOURCE = "chassis.security.public_keys.PublishedKeys"
AUTH_URL = environment.url("AUTH_URL", "auth-ms, such as http://auth-ms:4000", schemes=["http", "https"])
globals().update(password_settings(environment))
BREACHED_PASSWORDS_URL = environment.url(
    "BREACHED_PASSWORDS_URL",
    "a k-anonymity range API in which new passwords are looked up in addition to the built-in filter, such as"
    " https://api.pwnedpasswords.com/range; not used when empty",
    schemes=["http", "https"],
    default="",
)
PASSWORD_CONTEXT_WORDS = environment.words(
    "PASSWORD_CONTEXT_WORDS",
    "words, such as the product's name, that are ignored in a new password; separated by commas",
    default="tessera",
)
INVITATION_SECONDS = environment.integer(
    "INVITATION_SECONDS", "how long a mailed invitation to an organisation is valid", default=7 * 24 * 3600, minimum=60
)
SEALING_PUBLIC_KEY = environment.text(
    "SEALING_PUBLIC_KEY",
    "encrypts mailed tokens and codes for notification-ms; base64url of 32 bytes. Web processes and the event worker of"
    " auth-ms need it",
    default="",
)
LOAD_TEST_ENABLED = environment.boolean(
    "LOAD_TEST_ENABLED", "whether GET /users-ms/load-test burns CPU for experiments", default=False
)
SIGN_UPS_PER_HOUR = environment.integer(
    "SIGN_UPS_PER_HOUR", "accounts that one client address may create per hour", default=100, minimum=1
)
CONCEAL_ACCOUNTS = environment.boolean(
    "CONCEAL_ACCOUNTS",
    "whether sign-up answers 202 for every address and emails the result, instead of answering 201 or 409",
    default=False,
)
SIGN_UP = environment.choice(
    "SIGN_UP",
    "who may create an account: open: anyone; domain: who gives an address in SIGN_UP_DOMAINS; invitation: whom an"
    " organisation invites; off: only admins and imports, as always",
    choices=["open", "domain", "invitation", "off"],
    default="open",
)
SIGN_UP_DOMAINS = environment.domains(
    "SIGN_UP_DOMAINS",
    "domains of email addresses that may sign up where SIGN_UP is domain, such as example.org; separated by commas,"
    " without their subdomains",
)
if SIGN_UP == "domain" and not SIGN_UP_DOMAINS:
    raise ConfigurationError("users-ms cannot start: SIGN_UP_DOMAINS is empty, and SIGN_UP is domain.")

# As in gateway/Caddyfile. A group of SCIM has thousands of members, which some identity providers send at once.
BODY_LIMITS = {"/users-ms/imports": 4 * 1024 * 1024, "/users-ms/scim/v2/Groups": 256 * 1024}
OPENAPI_LINKS = {
    "create_user": {
        "201": {
            operation: {"user_id": "$response.body#/id"}
            for operation in ("get_user", "update_user", "replace_user", "delete_user")
        }
    },
}
PASSWORD_HASHERS = ["users_ms.accounts.passwords.Bcrypt", "users_ms.accounts.passwords.Argon2id"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 8}},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("name", "surname", "email")},
    },
    {"NAME": "users_ms.accounts.passwords.NotBreached"},
    {"NAME": "users_ms.accounts.passwords.NotMadeOfContext"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
