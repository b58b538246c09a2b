"""`docker compose up` as typed in a fresh clone: no .env, no .local, nothing but the engine."""

import itertools
import signal
import socket
import subprocess
import sys
import time

import pytest
import requests

from evidence.harness.stack import a_user
from evidence.harness.typed_commands import a_clone
from local import ports


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    with a_clone(tmp_path_factory.mktemp("clone") / "tessera-first-start") as clone:
        yield clone


@pytest.fixture(scope="module")
def user(clone):
    """An account made right after the first start."""
    started = time.monotonic()
    clone.typed("docker compose up -d --wait")
    user = a_user()
    assert clone.sign_up(user) == 201
    assert clone.log_in(user) == 200
    print(f"\n    from the clone to the first login: {time.monotonic() - started:.0f} s")
    return user


def test_the_first_start_makes_secrets_that_only_their_readers_see(clone, user):
    assert not (clone.folder / ".env").exists()
    log = clone.typed("docker compose logs --no-log-prefix secrets").stdout
    values = clone.inside("sh -c 'cat /secrets/*; ls /secrets'")
    assert "Made" in log
    assert "users_db_password" in values
    for name in ("users_db_password", "sealing_private_key", "signing_key_encryption_key"):
        secret = clone.inside(f"cat /secrets/{name}").strip()
        assert len(secret) > 40
        assert secret not in clone.typed("docker compose logs").stdout
        shown = "docker inspect $(docker compose ps --all --quiet)"
        assert secret not in clone.typed(shown).stdout
    modes = clone.inside("sh -c 'find /secrets /readers -type f -size +0 -printf %m.'")  # mount points are empty
    assert set(modes.strip(".").split(".")) == {"400"}
    readers = clone.inside("sh -c 'grep -l \"$(cat /secrets/sealing_private_key)\" -r /readers'").split()
    assert sorted(readers) == [
        f"/readers/notification-{medium}-worker/sealing_private_key" for medium in ("email", "sms")
    ]


def test_a_later_start_keeps_the_secrets_and_the_data(clone, user):
    before = clone.inside("sh -c 'cat /secrets/* | sha256sum'")

    clone.typed("docker compose down")
    clone.typed("docker compose up -d --wait")

    assert clone.inside("sh -c 'cat /secrets/* | sha256sum'") == before
    assert clone.log_in(user) == 200


@pytest.mark.parametrize("name", ["users_db_password", "signing_key_encryption_key"])
def test_a_lost_secret_is_reported_and_not_replaced(clone, user, name):
    value = clone.inside(f"cat /secrets/{name}")
    clone.inside(f"rm /secrets/{name}")

    refused = clone.typed("docker compose up -d --wait", check=False)

    assert refused.returncode != 0
    assert "secrets" in refused.stdout
    said = clone.typed("docker compose logs --no-log-prefix --tail 5 secrets").stdout
    assert f"Lost: {name}." in said
    assert name not in clone.inside("ls /secrets")
    clone.inside(f"sh -c 'cat > /secrets/{name}'", given=value)
    clone.typed("docker compose up -d --wait")
    assert clone.log_in(user) == 200


def test_a_secret_that_no_data_needs_is_regenerated_and_that_is_said(clone, user):
    before = clone.inside("cat /secrets/users_secret_key")
    clone.inside("rm /secrets/users_secret_key")

    clone.typed("docker compose up -d --wait --force-recreate")

    assert "Made 1 secrets: users_secret_key" in clone.typed("docker compose logs secrets").stdout
    assert clone.inside("cat /secrets/users_secret_key") != before
    assert clone.log_in(user) == 200


def test_files_of_the_host_are_used_and_an_empty_directory_is_no_first_start(clone, user, tmp_path):
    files, empty = tmp_path / "secrets", tmp_path / "empty"
    files.mkdir(mode=0o700)
    empty.mkdir(mode=0o700)
    clone.typed(f"docker compose cp secrets:/secrets/. {files}")
    (files / "email_url").write_text("smtp://mail.example.org:25")

    with_none = clone.typed(f"SECRETS_DIRECTORY={empty} docker compose up -d --wait", check=False)
    clone.typed(f"SECRETS_DIRECTORY={files} docker compose up -d --wait")

    assert with_none.returncode != 0
    assert list(empty.iterdir()) == []
    read = clone.typed("docker compose exec -T notification-ms cat /run/secrets/email_url").stdout
    assert read == "smtp://mail.example.org:25"
    assert clone.log_in(user) == 200


def test_in_the_foreground_the_addresses_come_last(clone, user):
    clone.typed("docker compose down")
    command = ["docker", "compose", "up"]
    up = subprocess.Popen(
        command, cwd=clone.folder, env=clone.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        said = list(itertools.takewhile(lambda line: "RabbitMQ's password" not in line, up.stdout))
        assert clone.log_in(user) == 200
    finally:
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=120)

    end = "".join(said[-14:])
    assert "Tessera is running:" in end
    assert f"gateway (all public routes)   {clone.gateway}" in end
    assert f"auth-ms                       http://127.0.0.1:{clone.ports['AUTH_PORT']}/auth-ms/docs" in end
    assert "create_admin --email=you@example.org" in end


def test_other_clones_have_stacks_of_their_own_and_touch_no_other(clone, user, tmp_path):
    """One in a directory of another name, and one in a directory of the same."""
    clean = f"{sys.executable} -m tools clean"
    with (
        a_clone(tmp_path / "tessera-second") as other,
        a_clone(tmp_path / "elsewhere" / clone.folder.name, undo=clean) as same,
    ):
        clone.typed("docker compose up -d --wait")
        other.typed("docker compose up -d --wait users-db")
        assert other.inside("cat /secrets/users_db_password") != clone.inside("cat /secrets/users_db_password")
        other.typed("docker compose down -v")
        same.typed(clean)
        same.typed(f"{sys.executable} -m tools down")
        assert clone.log_in(user) == 200

        said = same.typed(f"UP=compose {sys.executable} -m tools up").stdout

        assert f"the containers of {clone.folder.name} are those of another clone" in said
        assert same.log_in(user) == 401
        same.typed(clean)
        assert clone.log_in(user) == 200


def test_a_taken_port_is_named_and_its_variable_moves_it(clone, user):
    clone.typed("docker compose down")
    taken = clone.ports["GATEWAY_PORT"]
    with socket.create_server(("127.0.0.1", taken)):
        refused = clone.typed("docker compose up -d --wait", check=False)
        clone.ports["GATEWAY_PORT"] = ports.free()["GATEWAY_PORT"]
        clone.environment["GATEWAY_PORT"] = str(clone.ports["GATEWAY_PORT"])
        clone.typed("docker compose up -d --wait")

    assert refused.returncode != 0
    assert f"127.0.0.1:{taken}" in refused.stdout
    assert clone.log_in(user) == 200


def test_make_up_moves_a_taken_port_and_compose_reads_it_afterwards(clone, user):
    clone.typed("docker compose down")
    del clone.environment["USERS_PORT"]
    clone.environment |= {"UP": "compose", "PORT_OFFSET": "21000"}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 4000 + 21000))
        taken.listen()

        said = clone.typed(f"{sys.executable} -m tools up").stdout

    assert "25000 is taken: USERS_PORT is 26000" in said
    assert "http://127.0.0.1:26000/users-ms/docs" in said
    del clone.environment["PORT_OFFSET"]
    again = clone.typed("docker compose up -d --wait").stdout
    assert "Recreate" not in again
    assert requests.get("http://127.0.0.1:26000/users-ms/healthcheck", timeout=10).status_code == 200


def test_down_with_volumes_forgets_everything(clone, user):
    clone.typed("docker compose down -v")

    left = clone.typed("docker volume ls --quiet --filter label=com.docker.compose.project=tessera-first-start").stdout
    assert left == ""
    clone.typed("docker compose up -d --wait")
    assert clone.log_in(user) == 401
