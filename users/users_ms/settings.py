"""Every variable that users-ms reads, with its default and meaning."""

from chassis.settings import Environment, shared_settings

environment = Environment("users-ms")

globals().update(
    shared_settings(environment, import_root="users_ms", applications=["chassis.outbox", "users_ms.accounts"])
)

KEY_SOURCE = "chassis.tokens.PublishedKeys"
JWKS_URL = environment.url("JWKS_URL", "where auth-ms publishes its keys", schemes=["http", "https"])
BCRYPT_COST = environment.integer(
    "BCRYPT_COST", "bcrypt's cost: each step doubles the work", default=12, minimum=4, maximum=16
)
LOAD_TEST_ENABLED = environment.boolean(
    "LOAD_TEST_ENABLED", "whether GET /users-ms/load-test burns CPU for experiments", default=False
)

PASSWORD_HASHERS = ["users_ms.accounts.passwords.Hasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 8}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
