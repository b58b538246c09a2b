"""The Job of generated-secrets makes values once and keeps those that are there; here, the API is a dictionary."""

import base64
import hashlib
import json
from urllib.parse import urlsplit

import pytest

from installation import broker_rights, cluster, secret_values, service_catalog
from kustomize.tests import building


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> cluster.Secrets:
    """The Secrets of the namespace, none at first."""
    secrets: cluster.Secrets = {}
    monkeypatch.setattr(cluster, "read", lambda name: secrets.get(name))
    monkeypatch.setattr(cluster, "write", lambda name, values, is_new: secrets.update({name: dict(values)}))
    # A real key pair needs the chassis' packages, which this environment does not have.
    pairs = iter(range(100))
    monkeypatch.setattr(
        secret_values,
        "encryption_keys",
        lambda: {"SEALING_PRIVATE_KEY": f"private {next(pairs)}", "SEALING_PUBLIC_KEY": "public"},
    )
    return secrets


def copied(secrets: cluster.Secrets) -> cluster.Secrets:
    return {name: dict(values) for name, values in secrets.items()}


def test_secrets_are_made_once_and_only_their_names_are_printed(
    held: cluster.Secrets, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.main()
    first, said = copied(held), capsys.readouterr().out
    cluster.main()

    assert held == first
    assert len(first) == 2 * len(service_catalog.SERVICES) + 2  # plus broker and encryption
    values = [value for secret in first.values() for value in secret.values()]
    assert not [value for value in values if value in said]
    assert first["users-db-secrets"]["POSTGRES_PASSWORD"] in first["users-db-secrets"]["DATABASE_OWNER_URL"]
    assert first["users-db-secrets"]["POSTGRES_PASSWORD"] not in first["users-ms-secrets"]["DATABASE_URL"]
    assert set(capsys.readouterr().out.splitlines()) == {f"{name}: kept" for name in first}


def test_the_job_may_touch_exactly_these_secrets_and_create_more() -> None:
    [role] = [item for item in building.objects("overlays/minikube") if item["kind"] == "Role"]

    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": cluster.names(), "verbs": ["get", "patch"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
    ]


@pytest.mark.parametrize(
    ("name", "key"), [("users-db-secrets", "POSTGRES_PASSWORD"), ("auth-ms-secrets", "SIGNING_KEY_ENCRYPTION_KEY")]
)
@pytest.mark.parametrize("whole", [True, False])
def test_what_the_data_depends_on_is_not_regenerated(held: cluster.Secrets, name: str, key: str, whole: bool) -> None:
    cluster.main()
    if whole:
        del held[name]
    else:
        del held[name][key]
    before = copied(held)

    with pytest.raises(SystemExit, match=rf"Lost: {key} of {name}\."):
        cluster.main()

    assert held == before


def test_values_set_by_the_user_are_kept(held: cluster.Secrets) -> None:
    cluster.main()
    held["notification-ms-secrets"]["EMAIL_URL"] = "smtp://mail.example.org"
    before = copied(held)

    cluster.main()

    assert held == before


def test_half_a_key_pair_is_replaced_by_a_whole_one(held: cluster.Secrets) -> None:
    cluster.main()
    before = held["sealing-secrets"].pop("SEALING_PRIVATE_KEY")
    held["sealing-secrets"]["SEALING_PUBLIC_KEY"] = "of the lost one"

    cluster.main()

    assert held["sealing-secrets"]["SEALING_PUBLIC_KEY"] == "public"
    assert held["sealing-secrets"]["SEALING_PRIVATE_KEY"] != before


def test_the_broker_password_of_each_process_matches_its_url(held: cluster.Secrets) -> None:
    cluster.main()

    broker = held["broker-secrets"]
    users = {user["name"]: user for user in json.loads(broker["users.json"])["users"]}
    assert set(users) == set(broker_rights.names()) == set(broker) - {"users.json"}
    for name, user in users.items():
        url = urlsplit(broker[name])
        hashed = base64.b64decode(user["password_hash"])
        assert hashed[4:] == hashlib.sha256(hashed[:4] + str(url.password).encode()).digest()
        assert url.username == name
        assert user["tags"] == (["administrator"] if name == broker_rights.ADMINISTRATOR else [])
    assert len({urlsplit(broker[name]).password for name in users}) == len(users)


def test_a_new_process_gets_a_broker_user_and_the_others_are_kept(held: cluster.Secrets) -> None:
    cluster.main()
    before = dict(held["broker-secrets"])
    del held["broker-secrets"]["auth-event-worker"]

    cluster.main()

    changed = {"auth-event-worker", "users.json"}
    assert {name: value for name, value in held["broker-secrets"].items() if name not in changed} == {
        name: value for name, value in before.items() if name not in changed
    }
    assert held["broker-secrets"]["auth-event-worker"] != before["auth-event-worker"]
