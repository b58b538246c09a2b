"""A stack restores only backups that were made with its own secrets."""

import io
import json
import tarfile
from types import SimpleNamespace

import pytest

from tools.deployment import backups

OLD, NEW = "a" * 32, "b" * 32


class Accepted(Exception):
    """Raised when a backup is accepted; the next steps need a stack."""


@pytest.fixture
def restore(tmp_path):
    """`restore(made_by=, by=)` restores a backup made with the secrets `made_by` on a stack with the secrets `by`."""

    def stop():
        raise Accepted

    def stack(secrets):
        directory, values = tmp_path / "stack", {"SIGNING_KEY_ENCRYPTION_KEY": secrets}
        return SimpleNamespace(directory=directory, secrets=values, stop_services=stop)

    def run(*, made_by=None, by, about=None):
        file = tmp_path / "backup.tar"
        about = about or {"keys": backups._fingerprints(stack(made_by))}
        members = {backups.ABOUT: json.dumps(about | {"created_at": "2026-11-26"})}
        members |= {f"{service}.dump": "" for service in backups.SERVICES}
        with tarfile.open(file, "w") as archive:
            for name, text in members.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(text)
                archive.addfile(entry, io.BytesIO(text.encode()))
        backups.restore(stack(by), file)

    return run


@pytest.mark.parametrize(
    ("made_by", "by"), [(OLD, OLD), (OLD, f"{NEW},{OLD}"), (f"{NEW},{OLD}", f"{NEW}, {OLD}"), (NEW, f"{NEW},{OLD}")]
)
def test_a_backup_is_accepted_by_a_stack_with_its_secrets(restore, made_by, by):
    with pytest.raises(Accepted):
        restore(made_by=made_by, by=by)


@pytest.mark.parametrize(("made_by", "by"), [(OLD, NEW), (f"{NEW},{OLD}", NEW)])
def test_an_unreadable_backup_is_rejected_and_nothing_is_stopped(restore, made_by, by):
    with pytest.raises(SystemExit, match="SIGNING_KEY_ENCRYPTION_KEY"):
        restore(made_by=made_by, by=by)


def test_a_backup_from_the_previous_version_has_one_fingerprint(restore):
    with pytest.raises(Accepted):
        restore(about={"key": backups._fingerprints(_stack(OLD))[0]}, by=OLD)


def _stack(secrets):
    return SimpleNamespace(secrets={"SIGNING_KEY_ENCRYPTION_KEY": secrets})
