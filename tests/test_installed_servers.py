"""Servers are found where distributions, Homebrew and manual installations put them: layouts below a folder."""

import pytest

from local import installed_servers, packages

POSTGRESQL = {
    "Debian": "usr/lib/postgresql/17/bin",
    "packages of postgresql.org on Fedora": "usr/pgsql-16/bin",
    "Alpine": "usr/libexec/postgresql17",
    "openSUSE": "usr/lib/postgresql18/bin",
    "Homebrew on Apple silicon": "opt/homebrew/opt/postgresql@17/bin",
    "Homebrew on Intel": "usr/local/opt/postgresql@14/bin",
    "Homebrew on Linux": "home/linuxbrew/.linuxbrew/opt/postgresql@15/bin",
    "make install": "usr/local/pgsql/bin",
}
RABBITMQ = {
    "Debian": "usr/lib/rabbitmq/lib/rabbitmq_server-3.10.8/sbin",
    "Arch": "usr/lib/rabbitmq/sbin",
    "Homebrew on Apple silicon": "opt/homebrew/opt/rabbitmq/sbin",
    "the generic archive": "opt/rabbitmq_server-4.3.0/sbin",
    "the official image": "opt/rabbitmq/sbin",
}


@pytest.fixture(autouse=True)
def no_path(monkeypatch, tmp_path):
    """PATH has nothing but a folder of this test."""
    (tmp_path / "path").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.delenv("RABBITMQ_SERVER", raising=False)


def put(folder, *programs, says="", mode=0o755):
    """Programs that print `says`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in programs:
        (folder / name).write_text(f"#!/bin/sh\necho '{says}'\n")
        (folder / name).chmod(mode)
    return folder


def postgresql(folder, version):
    return put(folder, "postgres", "initdb", "pg_dump", says=f"postgres (PostgreSQL) {version}")


@pytest.mark.parametrize("where", POSTGRESQL)
def test_postgresql_in_the_folder_of_a_distribution(tmp_path, where):
    folder = postgresql(tmp_path / POSTGRESQL[where], "17.6")

    assert installed_servers.postgresql_binaries(root=tmp_path) == folder


def test_postgresql_on_path_comes_first_as_on_fedora_and_arch(tmp_path):
    postgresql(tmp_path / POSTGRESQL["Debian"], "17.6")
    folder = postgresql(tmp_path / "path", "16.10")

    assert installed_servers.postgresql_binaries(root=tmp_path) == folder


def test_postgresql_where_pg_config_says(tmp_path):
    folder = postgresql(tmp_path / "srv" / "database" / "bin", "18.0 (custom build)")
    put(tmp_path / "path", "pg_config", says=folder)

    assert installed_servers.postgresql_binaries(root=tmp_path) == folder


def test_pg_config_of_a_machine_with_the_client_only_is_no_server(tmp_path):
    put(tmp_path / "path", "pg_config", says=put(tmp_path / "client", "psql"))

    assert installed_servers.postgresql_binaries(root=tmp_path) is None


def test_links_to_some_of_the_programs_lead_to_the_folder_with_all(tmp_path):
    folder = postgresql(tmp_path / "usr/lib/postgresql/15/bin", "15.18")
    for name in ("postgres", "initdb"):
        (tmp_path / "path" / name).symlink_to(folder / name)

    assert installed_servers.postgresql_binaries(root=tmp_path) == folder


def test_the_newest_postgresql_is_used_and_ten_is_more_than_nine(tmp_path):
    postgresql(tmp_path / "usr/lib/postgresql/9.6/bin", "9.6.24")
    postgresql(tmp_path / "usr/lib/postgresql/14/bin", "14.19")
    newest = postgresql(tmp_path / "usr/lib/postgresql/18/bin", "18.0")

    assert installed_servers.postgresql_binaries(root=tmp_path) == newest


def test_a_postgresql_that_is_too_old_is_none(tmp_path):
    postgresql(tmp_path / "path", "13.22")

    assert installed_servers.postgresql_binaries(root=tmp_path) is None


def test_data_keeps_the_version_that_made_it(tmp_path):
    made = postgresql(tmp_path / "usr/lib/postgresql/15/bin", "15.14")
    postgresql(tmp_path / "usr/lib/postgresql/17/bin", "17.6")
    data = tmp_path / "users-db"
    data.mkdir()
    (data / "PG_VERSION").write_text("15\n")

    assert installed_servers.postgresql_binaries(data, root=tmp_path) == made
    (data / "PG_VERSION").write_text("16\n")
    assert installed_servers.postgresql_binaries(data, root=tmp_path) is None


@pytest.mark.parametrize("where", RABBITMQ)
def test_rabbitmq_in_the_folder_of_a_distribution(tmp_path, where):
    folder = put(tmp_path / RABBITMQ[where], "rabbitmq-server", "rabbitmq-env")

    assert installed_servers.rabbitmq_server(root=tmp_path) == folder / "rabbitmq-server"


def test_the_wrapper_that_changes_the_user_is_passed_over(tmp_path):
    put(tmp_path / "path", "rabbitmq-server")
    real = put(tmp_path / RABBITMQ["Debian"], "rabbitmq-server", "rabbitmq-env")

    assert installed_servers.rabbitmq_server(root=tmp_path) == real / "rabbitmq-server"


def test_a_link_on_path_leads_to_the_script_as_with_homebrew(tmp_path):
    real = put(tmp_path / "Cellar/rabbitmq/4.1.4/sbin", "rabbitmq-server", "rabbitmq-env")
    (tmp_path / "path" / "rabbitmq-server").symlink_to(real / "rabbitmq-server")

    assert installed_servers.rabbitmq_server(root=tmp_path) == real / "rabbitmq-server"


@pytest.mark.parametrize("folder", ["usr/lib/erlang/erts-13.1.5/bin", "usr/lib64/erlang/bin", "opt/homebrew/bin"])
def test_the_port_mapper_of_erlang(tmp_path, folder):
    put(tmp_path / folder, "epmd")

    assert installed_servers.epmd(root=tmp_path) == tmp_path / folder / "epmd"


def test_a_file_that_cannot_run_is_no_program(tmp_path):
    put(tmp_path / "usr/sbin", "caddy", mode=0o644)

    assert installed_servers.program("caddy", root=tmp_path) is None


@pytest.mark.parametrize(
    ("manager", "command"),
    [
        (
            "apt-get",
            "sudo apt-get update && sudo apt-get install -y --no-install-recommends postgresql rabbitmq-server",
        ),
        ("dnf", "sudo dnf install -y postgresql-server rabbitmq-server"),
        ("pacman", "sudo pacman -S --needed postgresql rabbitmq"),
        ("apk", "sudo apk add postgresql17 rabbitmq-server"),
        ("brew", "brew install postgresql@17 rabbitmq"),
    ],
)
def test_what_is_missing_is_named_for_the_package_manager_that_is_there(tmp_path, manager, command):
    put(tmp_path / "path", manager)

    assert packages.installation(["postgresql", "rabbitmq-server"]) == command
