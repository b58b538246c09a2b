"""PostgreSQL is killed during commits, its disk fills, and migrations run at once. Run by `make chaos`."""

import os
import secrets
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

import psycopg2
import pytest
from psycopg2 import sql

from evidence.chaos.processes import pause, replaced
from evidence.chaos.proxy import Proxy
from evidence.harness.waiting import eventually
from local import programs
from local.paths import ROOT

CRASHES = 2
DISK_MIB = 24  # free space before the disk is filled


TABLES = {"users": "accounts_user", "auth": "sign_in_session"}  # written by the clients


@pytest.mark.parametrize("service", ["users", "auth"])
def test_postgresql_is_killed_while_transactions_commit(chaos, under_load, service):
    """A deferred constraint blocks them in the commit itself; none of them exists afterwards."""
    with under_load(f"kill -9 {service}-db in the middle of commits") as run:
        for _ in range(CRASHES):
            with chaos.held_in_commit(service, TABLES[service]):
                eventually(lambda: chaos.waiting_in_commit(service))
                chaos.kill(f"{service}-db")
            run.recovers()
            pause(run.chance.uniform(0, 0.5))


@pytest.mark.parametrize("service", ["users", "auth"])
def test_the_answer_to_a_commit_is_lost(chaos, under_load, service):
    """The commit is done but the client gets 503. A repeated sign-up with the same Idempotency-Key creates one user."""
    proxy = Proxy(chaos.layout.ports[f"{service.upper()}_DB_PORT"])
    url = {"DATABASE_URL": proxy.url(chaos.layout.database_url(service))}
    with replaced(chaos.layout, f"{service}-ms", url), under_load(f"answers of {service}-db to COMMIT lost") as run:
        proxy.cut_after = [f'INSERT INTO "{TABLES[service]}"'.encode(), b"COMMIT"]
        eventually(lambda: proxy.cuts >= 5)
        pause(1)
        proxy.cut_after = []
        run.recovers()
        unknown = [each for each in run.clients.ledger if each.is_unknown and each.kind == "sign_up"]
        again = [run.clients.repeat(replace(attempt)) for attempt in unknown]
        run.note = f"{proxy.cuts} cut" + (f", {len(again)} sign-ups repeated" if service == "users" else "")
        assert all(attempt.is_accepted for attempt in again)
    proxy.close()
    assert run.findings.done_without_answer


@contextmanager
def small_disk(chaos, service):
    """Move the data of a database to a small file system of its own; yields its folder."""
    data = chaos.layout.directory / f"{service}-db"
    chaos.stack.stop(f"{service}-db")
    used = sum(file.stat().st_blocks * 512 for file in data.rglob("*")) // 2**20
    kept = data.with_name(f"{data.name}.kept")
    data.rename(kept)
    data.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={used + DISK_MIB}m,mode=0700", "tmpfs", str(data)]
    mounted = subprocess.run(mount, capture_output=True, text=True)
    try:
        if mounted.returncode:
            pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
        subprocess.run(["cp", "-a", f"{kept}/.", str(data)], check=True)
        shutil.copystat(kept, data)
        shutil.chown(data, "postgres", "postgres")
        chaos.stack.start(f"{service}-db")
        yield data
        chaos.stack.stop(f"{service}-db")
        shutil.rmtree(kept)
        subprocess.run(["cp", "-a", str(data), str(kept)], check=True)
    finally:
        chaos.stack.stop(f"{service}-db")
        if not mounted.returncode:
            subprocess.run(["umount", str(data)], check=True)
        data.rmdir()
        kept.rename(data)
        chaos.stack.start(f"{service}-db")


def fill(folder):
    """Fill the free space with a file; returns the file."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as output:
        try:
            while True:
                output.write(bytes(64 * 1024))
        except OSError:
            pass
    with ballast.open("ab", buffering=0) as output:  # the last pages
        try:
            while True:
                output.write(bytes(512))
        except OSError:
            return ballast


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
def test_the_disk_of_a_database_is_full(chaos, under_load):
    """First tables cannot grow, and writes get 503. Then no WAL can be written, and PostgreSQL itself ends."""
    with small_disk(chaos, "users") as folder, under_load("disk of users-db full") as run:
        ballast = fill(folder)
        eventually(lambda: sum(each.is_unknown for each in run.clients.ledger) >= 3, seconds=60)
        failed = [each for each in run.clients.ledger if each.is_unknown]
        assert {each.status for each in failed} <= {503}, {each.status for each in failed}
        with pytest.raises(psycopg2.Error):
            chaos.superuser("users", "SELECT pg_switch_wal()")
            chaos.superuser("users", "CREATE TABLE chaos AS SELECT generate_series(1, 1000000)")
        pause(2)
        ballast.unlink()
        run.recovers()


def test_two_migrations_of_an_empty_database_at_once(chaos):
    """Three `prepare_database` start together, as with three replicas; all succeed, and each migration runs once."""
    name = f"chaos_{secrets.token_hex(4)}"
    layout = replace(chaos.layout, variables={})
    owner = layout.database_owner_url("auth")
    chaos.superuser("auth", sql.SQL("CREATE DATABASE {} OWNER auth").format(sql.Identifier(name)))
    try:
        environment = os.environ | programs.service_environment(layout, "auth")
        environment["DATABASE_OWNER_URL"] = owner.rpartition("/")[0] + f"/{name}"
        environment["DATABASE_URL"] = environment["DATABASE_URL"].rpartition("/")[0] + f"/{name}"
        command = [sys.executable, "manage.py", "prepare_database"]
        options = {"cwd": ROOT / "auth", "env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        running = [subprocess.Popen(command, text=True, **options) for _ in range(3)]
        outputs = [each.communicate(timeout=120)[0] for each in running]

        assert [each.returncode for each in running] == [0, 0, 0], outputs
        applied = sum(output.count("... OK") for output in outputs)
        rows = "SELECT count(*), count(DISTINCT (app, name)) FROM django_migrations"
        assert chaos.superuser("auth", rows, database=name) == [(applied, applied)]
    finally:
        chaos.superuser("auth", sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
