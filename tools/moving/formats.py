"""The exports of other systems as rows of the import (docs/guides/move-in.md); each function is for one system."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Row = dict[str, Any]
_ARGON2_VERSIONS = {"1.3": 19, "1.0": 16}
_SETTING = re.compile(r"(\w+):\s*([^\s,]+)")


def keycloak(file: Path, _parameters: Path | None = None) -> Iterator[Row]:
    """The users of `kc.sh export`: of one file, or of all files in a folder.

    https://www.keycloak.org/server/importExport. Attributes become `metadata`, because only admins write either.
    """
    for each in sorted(file.glob("*.json")) if file.is_dir() else [file]:
        for user in _json(each).get("users") or []:
            if not user.get("serviceAccountClientId"):
                yield _row(
                    external_id=user.get("id"),
                    email=user.get("email"),
                    email_verified=user.get("emailVerified"),
                    name=user.get("firstName"),
                    surname=user.get("lastName"),
                    password_hash=_keycloak_hash(user.get("credentials") or []),
                    is_active=user.get("enabled"),
                    created_at=_time(user.get("createdTimestamp")),
                    metadata=_keycloak_metadata(user),
                )


def _keycloak_metadata(user: Row) -> Row:
    """The attributes, of which most have one value, and the username when it is another than the address."""
    given = (user.get("attributes") or {}).items()
    attributes = {name: values[0] if len(values) == 1 else values for name, values in given}
    username = user.get("username")
    return attributes | ({} if username in (None, user.get("email")) else {"username": username})


def _keycloak_hash(credentials: list[Row]) -> str | None:
    password = next((each for each in credentials if each.get("type") == "password" and "secretData" in each), None)
    if password is None:
        return None
    secret, made = json.loads(password["secretData"]), json.loads(password["credentialData"])
    algorithm, salt, digest = made["algorithm"], _unpadded(secret["salt"]), _unpadded(secret["value"])
    if algorithm == "argon2":
        given = {name: values[0] for name, values in made["additionalParameters"].items()}
        version = _ARGON2_VERSIONS.get(given["version"], given["version"])
        cost = f"m={given['memory']},t={made['hashIterations']},p={given['parallelism']}"
        return f"$argon2{given['type']}$v={version}${cost}${salt}${digest}"
    name = "pbkdf2-sha1" if algorithm == "pbkdf2" else algorithm
    return f"${name}$i={made['hashIterations']}${salt}${digest}"


def auth0(file: Path, _parameters: Path | None = None) -> Iterator[Row]:
    """The lines of Auth0's password export and of its user export, in one file; those of one user are joined.

    https://auth0.com/docs/manage-users/user-migration/bulk-user-exports
    """
    users: dict[str, Row] = {}
    with file.open(encoding="utf-8") as lines:
        for line in filter(str.strip, lines):
            given = json.loads(line)
            found = given.get("user_id") or given.get("_id")
            external_id = f"auth0|{found['$oid']}" if isinstance(found, dict) else str(found)
            users.setdefault(external_id, {}).update(given)
    for external_id, user in users.items():
        name = user.get("given_name") or user.get("name")
        yield _row(
            external_id=external_id,
            email=user.get("email"),
            email_verified=user.get("email_verified"),
            name=None if name == user.get("email") else name,  # Auth0's default
            surname=user.get("family_name"),
            password_hash=user.get("passwordHash"),
            is_active=None if user.get("blocked") is None else not user["blocked"],
            created_at=user.get("created_at"),
            attributes=user.get("user_metadata"),  # the user may write it at Auth0 too
            metadata=user.get("app_metadata"),
        )


def firebase(file: Path, parameters: Path | None = None) -> Iterator[Row]:
    """The users of `firebase auth:export`; `parameters` has the hash_config that Firebase's console shows.

    https://firebase.google.com/docs/cli/auth
    """
    if parameters is None:
        raise RuntimeError("PARAMETERS is missing: a file with the password hash parameters of Firebase's console.")
    found = dict(_SETTING.findall(parameters.read_text()))
    separator, key = found.get("base64_salt_separator", ""), found["base64_signer_key"]
    settings = f"v=1,n={found['mem_cost']},r={found['rounds']},p=1,ss={separator},sk={key}"
    for user in _json(file)["users"]:
        digest, salt = user.get("passwordHash"), user.get("salt")
        yield _row(
            external_id=user.get("localId"),
            email=user.get("email"),
            email_verified=user.get("emailVerified"),
            name=user.get("displayName"),
            password_hash=f"$fbscrypt${settings}${salt}${digest}" if digest and salt else None,
            phone=user.get("phoneNumber"),
            is_active=not user.get("disabled", False),
            created_at=_time(user.get("createdAt")),
            metadata=json.loads(user.get("customAttributes") or "{}"),
        )


def django(file: Path, _parameters: Path | None = None) -> Iterator[Row]:
    """The users of `manage.py dumpdata`, with verified addresses from django-allauth when they are in the file."""
    objects = _json(file)
    verified = {
        (each["fields"]["user"], each["fields"]["email"].lower())
        for each in objects
        if each["model"] == "account.emailaddress" and each["fields"]["verified"]
    }
    for each in objects:
        fields = each["fields"]
        if {"password", "email"} <= set(fields):
            yield _row(
                external_id=str(each["pk"]),
                email=fields["email"],
                email_verified=(each["pk"], fields["email"].lower()) in verified,
                name=fields.get("first_name"),
                surname=fields.get("last_name"),
                password_hash=None if fields["password"].startswith("!") else fields["password"],
                is_active=fields.get("is_active"),
                created_at=fields.get("date_joined"),
            )


FORMATS: dict[str, Callable[[Path, Path | None], Iterator[Row]]] = {
    "keycloak": keycloak,
    "auth0": auth0,
    "firebase": firebase,
    "django": django,
}


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def _row(**members: Any) -> Row:
    """The members that the other system has."""
    return {name: value for name, value in members.items() if value not in (None, "", {})}


def _unpadded(base64: str) -> str:
    return base64.rstrip("=")


def _time(milliseconds: int | str | None) -> str | None:
    """Milliseconds since 1970 in ISO 8601."""
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC).isoformat() if milliseconds else None
