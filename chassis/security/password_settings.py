"""The settings of password hashing, which users-ms (hashes) and auth-ms (compares) must share."""

from typing import Any

from chassis.operations.environment import Environment

_DJANGO_NAMES = {"bcrypt": "bcrypt_sha256", "argon2id": "argon2"}  # how the encoded hashes begin


def password_settings(environment: Environment) -> dict[str, Any]:
    """BCRYPT_COST, PASSWORD_HASHER (Django's name of the algorithm), ARGON2_MEMORY_KIB and ARGON2_PASSES."""
    hasher = environment.choice(
        "PASSWORD_HASHER",
        "bcrypt or argon2id, for new passwords; hashes of the other stay valid and are replaced at the next login",
        choices=list(_DJANGO_NAMES),
        default="bcrypt",
    )
    return {
        "PASSWORD_HASHER": _DJANGO_NAMES[hasher],
        "BCRYPT_COST": environment.integer(
            "BCRYPT_COST", "bcrypt's cost: each step doubles the work", default=12, minimum=4, maximum=16
        ),
        "ARGON2_MEMORY_KIB": environment.integer(
            "ARGON2_MEMORY_KIB", "argon2id's memory for one password", default=19456, minimum=8, maximum=1048576
        ),
        "ARGON2_PASSES": environment.integer(
            "ARGON2_PASSES", "argon2id's passes over its memory", default=2, minimum=1, maximum=64
        ),
    }
