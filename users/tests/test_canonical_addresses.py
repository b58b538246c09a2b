"""All spellings of an address belong to one user; addresses stored before this version get a canonical form."""

import logging

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from users.tests.builders import a_user, sign_up
from users_ms.accounts.models import User

BEFORE = ("accounts", "0002_versions_scopes_and_repeated_sign_ups")
[LATEST] = MigrationLoader(None).graph.leaf_nodes("accounts")


@pytest.mark.django_db
@pytest.mark.parametrize("email", ["ada@xn--bcher-kva.example", "ADA@Bücher.example", "ada@bücher.EXAMPLE"])
def test_all_spellings_of_an_address_find_one_user(client, auth_ms, admin, email):
    user = a_user(email="Ada@bücher.example")

    assert client.post("/users-ms/users", **sign_up(email=email)).status_code == 409
    assert auth_ms.get("/users-ms/internal/credentials", {"email": email}).json()["id"] == user.id
    listed = admin.get("/users-ms/users", {"email": email}).json()["results"]
    assert [row["email"] for row in listed] == ["Ada@bücher.example"]  # as its owner wrote it
    assert len(admin.get("/users-ms/users", {"search": "ada@BÜ"}).json()["results"]) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("email", ["\u212aelvin@example.org", "kel\u00advin@example.org", "kelvin@ｅxample.org"])  # noqa: RUF001
def test_a_lookalike_finds_no_user(auth_ms, email):
    a_user(email="kelvin@example.org")

    assert auth_ms.get("/users-ms/internal/credentials", {"email": email}).status_code == 404


@pytest.fixture
def before(transactional_db):
    """The model of the version without canonical addresses, on its table."""
    MigrationExecutor(connection).migrate([BEFORE])
    yield MigrationLoader(connection).project_state(BEFORE).apps.get_model("accounts.User")
    call_command("migrate", verbosity=0)  # with the apps that need later tables


def stored(model, email, **changes):
    return model.objects.create(name="Ada", surname="L", email=email, password_hash="x", **changes)


def forms():
    return dict(User.objects.order_by("id").values_list("email", "email_canonical"))


def test_stored_users_get_canonical_addresses(before):
    for email in ("Ada@Example.org", "ada@bücher.example", "root@localhost", "İ@example.org"):
        stored(before, email)

    MigrationExecutor(connection).migrate([LATEST])

    assert forms() == {
        "Ada@Example.org": "ada@example.org",
        "ada@bücher.example": "ada@xn--bcher-kva.example",
        "root@localhost": "invalid:root@localhost",
        "İ@example.org": "invalid:i̇@example.org",
    }
    for email in forms():
        assert User.objects.with_email(email).get().email == email


def test_users_with_the_same_canonical_address_are_separated_and_reported(before, caplog, capsys, auth_ms):
    oldest = stored(before, "ada@xn--bcher-kva.example")
    proven = stored(before, "ada@bücher.example", email_verified=True)
    first = stored(before, "grace@bücher.example")
    second = stored(before, "Grace@xn--bcher-kva.example")

    with caplog.at_level(logging.WARNING):
        MigrationExecutor(connection).migrate([LATEST])

    assert User.objects.with_email("ada@bücher.example").get().id == proven.id
    assert User.objects.with_email("grace@bücher.example").get().id == first.id
    apart = User.objects.in_bulk([oldest.id, second.id])
    assert {user.email_canonical for user in apart.values()} == {f"COLLISION {oldest.id}", f"COLLISION {second.id}"}
    for email in (f"COLLISION {oldest.id}", f"collision {oldest.id}"):
        assert auth_ms.get("/users-ms/internal/credentials", {"email": email}).status_code == 404
    [record] = [record for record in caplog.records if "user_ids" in record.__dict__]
    assert record.user_ids == [oldest.id, second.id]
    call_command("address_collisions")
    assert f"id {oldest.id}  ada@xn--bcher-kva.example" in capsys.readouterr().out


def test_an_admin_changes_the_address_of_a_separated_user(before, admin_after_migrations, auth_ms):
    stored(before, "ada@bücher.example", email_verified=True)
    apart = stored(before, "ada@xn--bcher-kva.example")
    MigrationExecutor(connection).migrate([LATEST])

    admin_after_migrations().patch(
        f"/users-ms/users/{apart.id}", {"email": "other@example.org"}, content_type="application/json"
    )
    answer = auth_ms.post(
        f"/users-ms/internal/users/{apart.id}/email-verified",
        {"email": "other@example.org"},
        content_type="application/json",
    )

    assert answer.json()["email_changed"]
    assert User.objects.with_email("other@example.org").get().id == apart.id


@pytest.fixture
def admin_after_migrations(caller):
    """Creates an admin once the migrations have run."""

    def make():
        root = User.objects.create(
            name="Root", surname="O", email="root@example.net", email_canonical="root@example.net", is_admin=True
        )
        return caller(user_id=root.id, admin=True)

    return make


@pytest.mark.django_db
def test_code_without_canonical_addresses_shares_the_table_with_current_code():
    old_user = MigrationLoader(connection).project_state(BEFORE).apps.get_model("accounts.User")
    row = stored(old_user, "Ada@Example.org")
    assert User.objects.with_email("ada@example.org").get().id == row.id

    row.email = "Grace@Example.org"
    row.save()

    assert User.objects.with_email("grace@example.org").get().id == row.id
    assert not User.objects.with_email("ada@example.org").exists()
    row.surname = "King"
    row.save(update_fields=["surname"])
    assert User.objects.get().email_canonical == "grace@example.org"


@pytest.mark.django_db
def test_another_spelling_of_an_international_address_keeps_its_canonical_form():
    user = a_user(email="ada@bücher.example")

    user.email = "Ada@bücher.example"
    user.save()
    user.email = "Ada@xn--bcher-kva.example"
    user.save()

    assert User.objects.get().email_canonical == "ada@xn--bcher-kva.example"
