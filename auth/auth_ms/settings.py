"""Every variable that auth-ms reads, with its default and meaning."""

from chassis.settings import Environment, shared_settings

environment = Environment("auth-ms")

globals().update(
    shared_settings(environment, import_root="auth_ms", applications=["chassis.outbox", "auth_ms.sign_in"])
)

KEY_SOURCE = "auth_ms.sign_in.keys.OwnKeys"
USERS_URL = environment.url("USERS_URL", "users-ms, such as http://users-ms:4000", schemes=["http", "https"])
SIGNING_KEY_ENCRYPTION_KEY = environment.secret(
    "SIGNING_KEY_ENCRYPTION_KEY", "encrypts the private signing keys in auth-db; random, at least 32 characters"
)
ACCESS_TOKEN_SECONDS = environment.integer(
    "ACCESS_TOKEN_SECONDS", "how long an access token is good for", default=300, minimum=30, maximum=3600
)
REFRESH_TOKEN_SECONDS = environment.integer(
    "REFRESH_TOKEN_SECONDS", "how long a session lasts without being used", default=30 * 24 * 3600, minimum=300
)
BCRYPT_COST = environment.integer(
    "BCRYPT_COST", "the cost users-ms hashes with; sets the time of a refused login", default=12, minimum=4, maximum=16
)

PASSWORD_HASHERS = ["django.contrib.auth.hashers.BCryptSHA256PasswordHasher"]
