import pytest
from django.db.migrations.recorder import MigrationRecorder

from chassis.database import migration_state

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def new_process(monkeypatch):
    monkeypatch.setattr(migration_state, "_migrated", False)


def test_a_missing_migration_is_pending_until_it_has_run():
    latest = MigrationRecorder.Migration.objects.filter(app="outbox").latest("id")
    latest.delete()

    with pytest.raises(migration_state.MigrationsPending):
        migration_state.check()

    MigrationRecorder.Migration.objects.create(app=latest.app, name=latest.name)
    migration_state.check()


def test_later_checks_need_one_query(django_assert_num_queries):
    migration_state.check()

    with django_assert_num_queries(1):
        migration_state.check()
