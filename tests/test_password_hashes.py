"""argon2id and bcrypt hashes side by side on running services: both sign in and are rehashed as configured."""

import os
import secrets

import psycopg2
import requests

from evidence.harness.local_processes import another_users_ms
from evidence.harness.stack import PASSWORD


def stored_hash(email):
    with psycopg2.connect(os.environ["USERS_DATABASE_URL"]) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT password_hash FROM accounts_user WHERE email = %s", [email])
        return cursor.fetchone()[0]


def test_an_argon2id_account_signs_in_and_is_rehashed_with_the_configured_algorithm(stack):
    account = {"name": "Ada", "surname": "Lovelace", "email": f"ada.{secrets.token_hex(8)}@example.org"}
    with another_users_ms(stack.directory, PASSWORD_HASHER="argon2id") as (users, _):  # pragma: allowlist secret
        answer = requests.post(f"{users}/users-ms/users", json=account | {"password": PASSWORD}, timeout=60)
    assert answer.status_code == 201
    first = stored_hash(account["email"])

    wrong = stack.log_in(account["email"], password=PASSWORD + "x").status_code
    after_wrong = stored_hash(account["email"])
    right = stack.log_in(account["email"]).status_code
    after_right = stored_hash(account["email"])

    assert first.startswith("argon2$argon2id$")
    assert (wrong, after_wrong) == (401, first)
    assert right == 200
    assert after_right.startswith("bcrypt_sha256$")
    assert stack.log_in(account["email"]).status_code == 200
