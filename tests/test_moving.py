"""Users of Keycloak move in and sign in with their old passwords; users move out again."""

import json
import os
import secrets
import stat
import subprocess
import time

import psycopg2
import pytest
import requests

from evidence.harness import keycloak
from evidence.harness.stack import PASSWORD

NDJSON = "application/x-ndjson"
# pragma: allowlist nextline secret
FIREBASE_KEY = "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA=="
# As Keycloak 26 stores the password "secret"; keycloak.pbkdf2 makes others.
KEYCLOAK_26 = {
    "type": "password",
    # pragma: allowlist nextline secret
    "secretData": '{"value":"xKjWvB9+0sSP6wTqI1JoEI7w+iA0x9VDhPgmrOHRG80=","salt":"LRScGShC7shkdoU5B1UgUQ==",'
    '"additionalParameters":{}}',
    "credentialData": '{"hashIterations":5,"algorithm":"argon2","additionalParameters":{"hashLength":["32"],'
    '"memory":["7168"],"type":["id"],"version":["1.3"],"parallelism":["1"]}}',
}


def stored(email):
    with psycopg2.connect(os.environ["USERS_DATABASE_URL"]) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT password_hash, email_verified, metadata, created_at FROM accounts_user WHERE email = %s", [email]
        )
        return cursor.fetchone()


@pytest.fixture
def realm(tmp_path):
    """`realm(user, ...)`: a file as `kc.sh export` writes it."""

    def write(*users):
        file = tmp_path / "realm.json"
        service = {"id": "s", "username": "service-account-orders", "serviceAccountClientId": "orders"}
        file.write_text(json.dumps({"realm": "products", "users": [*users, service]}))
        return file

    return write


def outcome(stack, file, *options):
    """What the command says last; it exits with 1 when users were refused."""
    done = subprocess.run([*stack.commands, "import", str(file), *options], capture_output=True, text=True, timeout=600)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.splitlines(), done.returncode


def test_users_of_keycloak_sign_in_with_their_old_passwords(stack, realm):
    users = {
        PASSWORD: keycloak.user(keycloak.pbkdf2(PASSWORD, "pbkdf2-sha256", "sha256", 27500)),
        "secret": keycloak.user(KEYCLOAK_26),
    }
    older = [
        keycloak.user(keycloak.pbkdf2(PASSWORD, "pbkdf2", "sha1", 20000)),
        keycloak.user(keycloak.pbkdf2(PASSWORD, "pbkdf2-sha512", "sha512", 30000)),
    ]
    file = realm(*users.values(), *older)

    first = outcome(stack, file, "--format=keycloak")
    again = outcome(stack, file, "--format=keycloak")

    assert first[0][-1] == "4 users imported, 0 were here already, 0 refused."
    assert again[0][-1] == "0 users imported, 4 were here already, 0 refused."
    assert list(file.parent.iterdir()) == [file]
    for password, user in [*users.items(), *((PASSWORD, user) for user in older)]:
        before = stored(user["email"])
        wrong = stack.log_in(user["email"], f"{password}x").status_code
        right = stack.log_in(user["email"], password)
        after = stored(user["email"])
        assert not before[0].startswith("bcrypt_sha256$")
        assert (wrong, right.status_code) == (401, 200)
        assert after[0].startswith("bcrypt_sha256$")
        assert after[1:3] == (True, {"department": "engines", "username": user["username"]})
        assert after[3].year == 2021
        assert stack.log_in(user["email"], password).status_code == 200


def auth0(email, folder):
    """As Auth0's support and its bulk export write them: bcrypt, by Openwall's example."""
    number = secrets.token_hex(12)
    hashed = {
        "_id": {"$oid": number},
        "email": email,
        "email_verified": True,
        "passwordHash": "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "password_set_date": {"$date": "2024-02-03T04:05:06Z"},
    }
    user = {"user_id": f"auth0|{number}", "email": email, "given_name": "Ada", "app_metadata": {"plan": "gold"}}
    (folder / "users").write_text(f"{json.dumps(hashed)}\n{json.dumps(user)}\n")
    return "U*U", ["--format=auth0"]


def firebase(email, folder):
    """As `firebase auth:export` writes it, with the example of https://github.com/firebase/scrypt."""
    user = {
        "localId": secrets.token_hex(12),
        "email": email,
        "emailVerified": True,
        # pragma: allowlist nextline secret
        "passwordHash": "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==",
        "salt": "42xEC+ixf3L2lw==",
        "displayName": "Ada",
        "createdAt": "1611230523301",
        "disabled": False,
        "customAttributes": '{"plan": "gold"}',
        "providerUserInfo": [],
    }
    (folder / "users").write_text(json.dumps({"users": [user]}))
    (folder / "parameters").write_text(
        "hash_config {\n  algorithm: SCRYPT,\n"
        f"  base64_signer_key: {FIREBASE_KEY},\n"
        "  base64_salt_separator: Bw==,\n  rounds: 8,\n  mem_cost: 14,\n}\n"
    )
    return "user1password", ["--format=firebase", f"--parameters={folder / 'parameters'}"]


def django(email, folder):
    """As `dumpdata` writes it; the hash is passlib's."""
    number = secrets.randbelow(10**12)
    user = {
        # pragma: allowlist nextline secret
        "password": "pbkdf2_sha256$1000$MWC5o49lZKev$pcxqkSUxF6DVqFUze5663H8mMoTtOtnWuWPosBhrkuI=",
        "username": "ada",
        "first_name": "Ada",
        "email": email,
        "is_superuser": True,
        "is_active": True,
        "date_joined": "2021-01-21T12:02:03Z",
    }
    address = {"user": number, "email": email, "verified": True, "primary": True}
    objects = [
        {"model": "auth.group", "pk": 1, "fields": {"name": "editors"}},
        {"model": "auth.user", "pk": number, "fields": user},
        {"model": "account.emailaddress", "pk": 1, "fields": address},
    ]
    (folder / "users").write_text(json.dumps(objects))
    return PASSWORD, ["--format=django"]


@pytest.mark.parametrize("system", [auth0, firebase, django])
def test_users_of_other_systems_sign_in_with_their_old_passwords(stack, tmp_path, system):
    email = f"ada.{secrets.token_hex(8)}@example.org"
    password, options = system(email, tmp_path)

    lines, status = outcome(stack, tmp_path / "users", *options)

    assert (lines[-1], status) == ("1 users imported, 0 were here already, 0 refused.", 0)
    answer = stack.log_in(email, password)
    assert answer.status_code == 200
    user = stack.call("GET", "/users-ms/users/me", token=answer.json()["access_token"]).json()
    assert (user["name"], user["email_verified"], user["is_admin"]) == ("Ada", True, False)
    assert user["metadata"] == ({} if system is django else {"plan": "gold"})
    assert stored(email)[0].startswith("bcrypt_sha256$")


def test_an_imported_user_is_sent_no_mail(stack, realm):
    user = keycloak.user(KEYCLOAK_26, emailVerified=False)

    outcome(stack, realm(user), "--format=keycloak")

    later = stack.verified_user()  # whose mail comes after one to the imported user would
    assert stack.mails(later["email"])
    assert stack.mails(user["email"]) == []


def test_a_refused_user_is_named_in_a_file_and_imported_once_it_is_corrected(stack, realm):
    taken = stack.sign_up()["email"]
    good, bad = keycloak.user(KEYCLOAK_26), keycloak.user(KEYCLOAK_26, email=taken)

    lines, status = outcome(stack, file := realm(good, bad), "--format=keycloak")

    reasons = file.with_name("realm.json.refused.ndjson")
    assert status == 1
    assert lines[-2] == "1 users imported, 0 were here already, 1 refused."
    assert str(reasons) in lines[-1]
    refusal, sums = map(json.loads, reasons.read_text().splitlines())
    assert (refusal["external_id"], refusal["field"], refusal["code"]) == (bad["id"], "email", "email_taken")
    assert sums == {"accepted": 1, "unchanged": 0, "refused": 1}
    assert stat.S_IMODE(reasons.stat().st_mode) == 0o600

    corrected = realm(good, bad | {"email": f"corrected.{secrets.token_hex(8)}@example.org"})
    assert outcome(stack, corrected, "--format=keycloak")[1] == 0
    assert not reasons.exists()


def test_a_file_of_another_system_is_no_traceback(stack, tmp_path):
    file = tmp_path / "users.json"
    file.write_text('[{"model": "auth.user"}]')

    done = subprocess.run(
        [*stack.commands, "import", str(file), "--format=django"], capture_output=True, text=True, timeout=600
    )

    assert done.returncode != 0
    assert "is not an export of django" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_admin_imports_through_the_gateway(stack, admins_email):
    token = stack.token_of(admins_email)
    rows = [{"external_id": secrets.token_hex(8), "email": f"{secrets.token_hex(8)}@example.org"} for _ in range(3)]
    padding = "\n" * 300_000  # more than other requests may have

    def send(body):
        headers = {"Authorization": f"Bearer {token}", "Content-Type": NDJSON}
        url = f"{stack.gateway}/users-ms/imports"
        return stack.decided(lambda: requests.post(url, data=body, headers=headers, timeout=60))

    answer = send("".join(f"{json.dumps(row)}\n" for row in rows) + padding)
    too_large = [send("\n" * length) for length in (4 * 1024 * 1024 + 1, 9_999_999, 10_000_000)]

    assert answer.status_code == 200, answer.text
    assert (answer.json()["accepted"], answer.json()["refused"]) == (3, 0)
    assert stack.log_in(rows[0]["email"], "").status_code == 400
    assert stack.log_in(rows[0]["email"], PASSWORD).status_code == 401  # it has no password yet
    assert [answer.status_code for answer in too_large] == [413, 413, 413]
    assert [answer.json()["code"] for answer in too_large] == ["body_too_large"] * 3


def test_what_is_exported_is_imported_without_a_change(stack, realm, tmp_path):
    user = keycloak.user(KEYCLOAK_26)
    outcome(stack, realm(user), "--format=keycloak")
    here = stack.sign_up()
    file = tmp_path / "all.ndjson"

    stack.command("export", "--file", str(file))

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    rows = {row["email"]: row for row in map(json.loads, file.read_text().splitlines())}
    moved, signed_up = rows[user["email"]], rows[here["email"]]
    assert moved["external_id"] == user["id"]
    assert moved["password_hash"] == stored(user["email"])[0]
    assert signed_up["external_id"] == f"tessera-{here['id']}"
    only = tmp_path / "one.ndjson"
    only.write_text(json.dumps(moved))
    assert outcome(stack, only)[0][-1] == "0 users imported, 1 were here already, 0 refused."
    with psycopg2.connect(os.environ["USERS_DATABASE_URL"]) as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM portability_importeduser WHERE external_id = %s", [user["id"]])
        cursor.execute("DELETE FROM accounts_user WHERE email = %s", [user["email"]])
    before = time.time()
    assert outcome(stack, only)[0][-1] == "1 users imported, 0 were here already, 0 refused."
    assert stored(user["email"])[3].timestamp() < before - 86400
    assert stack.log_in(user["email"], "secret").status_code == 200


def test_everything_about_one_user_is_exported_from_all_services(stack, tmp_path):
    user = stack.verified_user()
    stack.token_of(user["email"])
    file = tmp_path / "user.json"

    stack.command("export", "--user", str(user["id"]), "--file", str(file))

    exported = json.loads(file.read_text())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert exported["users-ms"]["user"]["email"] == user["email"]
    assert exported["auth-ms"]["sessions"]
    assert exported["auth-ms"]["consents"] == []
    assert user["email"] in {each["recipient"] for each in exported["notification-ms"]["notifications"]}
    assert "password_hash" not in file.read_text()
    with pytest.raises(subprocess.CalledProcessError):
        stack.command("export", "--user", "999999999", "--file", str(tmp_path / "nobody.json"))
    assert not (tmp_path / "nobody.json").exists()
