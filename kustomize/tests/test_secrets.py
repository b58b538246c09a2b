"""`make cluster-secrets` generates values once, and keeps those in the files or in the cluster."""

import base64
import hashlib
import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local import broker_rights, secret_values, service_catalog
from tools.deployment import kubernetes


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The target folder, with an empty cluster."""
    monkeypatch.setattr(kubernetes, "ROOT", tmp_path)
    monkeypatch.setattr(kubernetes, "SECRETS", tmp_path / "secrets")
    # A real key pair needs the chassis' packages, which this environment does not have.
    monkeypatch.setattr(
        secret_values, "encryption_keys", lambda: {"SEALING_PRIVATE_KEY": "private", "SEALING_PUBLIC_KEY": "public"}
    )
    in_cluster(monkeypatch, {})
    return tmp_path / "secrets"


def in_cluster(monkeypatch: pytest.MonkeyPatch, secrets: dict[str, dict[str, str]]) -> None:
    monkeypatch.setattr(kubernetes, "_secrets_in_cluster", lambda: secrets)


def contents(folder: Path) -> dict[str, dict[str, str]]:
    return {file.stem: secret_values.read(file) for file in folder.glob("*.env")}


def test_secrets_are_generated_once_and_readable_only_by_their_owner(folder: Path) -> None:
    kubernetes.make_secrets()
    first = contents(folder)
    kubernetes.make_secrets()

    assert contents(folder) == first
    assert len(first) == 2 * len(service_catalog.SERVICES) + 2  # plus broker and encryption
    assert {file.stat().st_mode & 0o777 for file in folder.glob("*.env")} == {0o600}
    assert first["users-db"]["POSTGRES_PASSWORD"] in first["users-db"]["DATABASE_OWNER_URL"]
    assert first["users-db"]["POSTGRES_PASSWORD"] not in first["users-ms"]["DATABASE_URL"]


def test_a_new_checkout_uses_the_values_of_the_cluster(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = {
        "POSTGRES_PASSWORD": "kept",
        "DATABASE_OWNER_URL": "postgres://users:kept@users-db/users",  # pragma: allowlist secret
    }  # pragma: allowlist secret
    in_cluster(monkeypatch, {"users-db-secrets": held})

    kubernetes.make_secrets()

    assert contents(folder)["users-db"] == held


def test_a_password_that_differs_from_the_cluster_is_rejected(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kubernetes.make_secrets()
    before = contents(folder)
    in_cluster(monkeypatch, {"auth-db-secrets": {"POSTGRES_PASSWORD": "of another checkout"}})

    with pytest.raises(SystemExit, match=r"another POSTGRES_PASSWORD than secrets/auth-db\.env"):
        kubernetes.make_secrets()

    assert contents(folder) == before


def test_values_set_by_the_user_are_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    secret_values.add(folder / "notification-ms.env", {"EMAIL_URL": "smtp://mail.example.org"})
    in_cluster(monkeypatch, {"notification-ms-secrets": {"EMAIL_URL": "smtp://mailpit", "SECRET_KEY": "the cluster's"}})

    kubernetes.make_secrets()

    written = contents(folder)["notification-ms"]
    assert (written["EMAIL_URL"], written["SECRET_KEY"]) == ("smtp://mail.example.org", "the cluster's")


def test_the_broker_password_of_each_process_matches_its_url(folder: Path) -> None:
    kubernetes.make_secrets()

    broker = contents(folder)["broker"]
    users = {user["name"]: user for user in json.loads(broker["users.json"])["users"]}
    assert set(users) == set(broker_rights.names()) == set(broker) - {"users.json"}
    for name, user in users.items():
        url = urlsplit(broker[name])
        hashed = base64.b64decode(user["password_hash"])
        assert hashed[4:] == hashlib.sha256(hashed[:4] + str(url.password).encode()).digest()
        assert url.username == name
        assert user["tags"] == (["administrator"] if name == broker_rights.ADMINISTRATOR else [])
    assert len({urlsplit(broker[name]).password for name in users}) == len(users)


def test_a_new_process_gets_a_broker_user_and_the_others_are_kept(folder: Path) -> None:
    kubernetes.make_secrets()
    file = folder / "broker.env"
    before = secret_values.read(file)
    kept = {name: value for name, value in before.items() if name not in ("auth-event-worker", "users.json")}
    file.write_text("".join(f"{name}={value}\n" for name, value in kept.items()))

    kubernetes.make_secrets()

    after = secret_values.read(file)
    assert {name: after[name] for name in kept} == kept
    assert after["auth-event-worker"] != before["auth-event-worker"]
    assert file.stat().st_mode & 0o777 == 0o600
