"""Importing users of another system, as NDJSON and CSV, with the hashes of their passwords."""

import io
import json
from datetime import UTC, datetime, timedelta

import bcrypt
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from chassis.outbox.models import OutboxMessage
from users.tests.builders import PASSWORD, a_user, as_json
from users_ms.accounts.events import Origin
from users_ms.accounts.models import FormerAddress, User
from users_ms.portability import rows, services
from users_ms.portability.models import ImportedUser

pytestmark = pytest.mark.django_db
NDJSON, CSV = "application/x-ndjson", "text/csv"
HASH = "$2b$04$012345678901234567890uuoXjOVHEdYvqVmvDNhhLDUsrFf0p4yO"


def a_row(**changes):
    members = {"external_id": "kc-1", "email": "ada@example.org"} | changes
    return {name: value for name, value in members.items() if value is not None}


def lines(*members):
    return "".join(json.dumps(each) + "\n" for each in members)


@pytest.fixture
def send(admin):
    """`send(row, ...)`: the answer to an import of these rows, or of a text."""

    def post(*given, content_type=NDJSON):
        body = given[0] if isinstance(given[0], str | bytes) else lines(*given)
        return admin.post("/users-ms/imports", data=body, content_type=content_type)

    return post


def outcome(answer):
    assert answer.status_code == 200, answer.content
    report = answer.json()
    return report["accepted"], report["unchanged"], report["refused"]


def reasons(answer):
    assert answer.status_code == 200, answer.content
    return [(each["line"], each["field"], each["code"]) for each in answer.json()["refusals"]]


def test_an_imported_user_has_all_that_its_line_says(send):
    row = a_row(
        email="Ada@Example.org",
        email_verified=True,
        name="Ada",
        surname="Lovelace",
        password_hash=HASH,
        phone="+390612345678",
        phone_verified=True,
        locale="it",
        time_zone="Europe/Rome",
        attributes={"team": "engines"},
        metadata={"plan": "gold"},
        is_active=False,
        scopes=["orders:read"],
        created_at="2019-02-03T04:05:06Z",
    )

    answer = send(row)

    assert outcome(answer) == (1, 0, 0)
    user = User.objects.get(is_admin=False)
    assert (user.email, user.email_canonical, user.email_verified) == ("Ada@example.org", "ada@example.org", True)
    assert user.password_hash == f"bcrypt${HASH}"
    assert user.created_at == datetime(2019, 2, 3, 4, 5, 6, tzinfo=UTC)
    same = ("name", "surname", "phone", "phone_verified", "locale", "time_zone", "attributes", "metadata", "scopes")
    assert {name: getattr(user, name) for name in same} == {name: row[name] for name in same}
    assert (user.is_active, user.is_admin) == (False, False)


def test_a_line_needs_only_an_id_and_an_address(send):
    assert outcome(send(a_row())) == (1, 0, 0)

    user = User.objects.get(is_admin=False)
    assert (user.name, user.surname, user.email_verified, user.is_active) == ("ada", "", False, True)
    assert user.password_hash.startswith("!")  # only a reset by email gives access
    assert timezone.now() - user.created_at < timedelta(hours=1)


def announced():
    """The data of the only event, which no user is sent."""
    message = OutboxMessage.objects.get()
    assert message.exchange == "users_imported_event"
    return message.body["data"]


def test_nobody_is_sent_anything_and_the_audit_log_is_told_by_whom_and_how_many(send):
    send(a_row(email_verified=True), a_row(external_id="kc-2", email="grace@example.org"), a_row(external_id="kc-3"))

    assert User.objects.filter(email__contains="example.org").count() == 2
    data = announced()
    assert (data["accepted"], data["unchanged"], data["refused"]) == (2, 0, 1)
    assert data["actor_id"] == User.objects.get(is_admin=True).id and data["address"] == "127.0.0.1"
    assert "example.org" not in str(OutboxMessage.objects.get().body)


def test_an_import_of_nothing_is_not_told(send):
    assert outcome(send("")) == (0, 0, 0)
    assert not OutboxMessage.objects.exists()


def test_the_same_lines_again_change_nothing(send, caller):
    first = send(a_row(password_hash=HASH), a_row(external_id="kc-2", email="grace@example.org"))
    user = User.objects.get(email="ada@example.org")
    caller(user_id=user.id).patch(f"/users-ms/users/{user.id}", **as_json({"surname": "King"}))

    again = send(
        a_row(password_hash=HASH, surname="Byron"),
        a_row(external_id="kc-2", email="grace@example.org"),
        a_row(external_id="kc-3", email="mary@example.org"),
    )

    assert (outcome(first), outcome(again)) == ((2, 0, 0), (1, 2, 0))
    assert User.objects.get(id=user.id).surname == "King"


def test_a_line_that_comes_twice_is_imported_once(send):
    assert outcome(send(a_row(), a_row())) == (1, 1, 0)


def test_an_erased_user_is_not_imported_again(send, caller):
    send(a_row())
    user = User.objects.get(email="ada@example.org")
    caller(user_id=user.id).delete(f"/users-ms/users/{user.id}")

    again = send(a_row())

    assert reasons(again) == [(1, "external_id", "erased")]
    assert not User.objects.filter(email="ada@example.org").exists()
    assert ImportedUser.objects.get().user_id is None


@pytest.mark.parametrize("email", ["ada@example.org", "ADA@EXAMPLE.ORG"])
def test_an_existing_account_is_neither_linked_nor_changed(send, email):
    user = a_user()

    answer = send(a_row(email=email, password_hash=HASH, email_verified=True))

    assert reasons(answer) == [(1, "email", "email_taken")]
    after = User.objects.get(id=user.id)
    assert (after.password_hash, after.email_verified) == (user.password_hash, False)
    assert not ImportedUser.objects.exists()


def test_of_two_lines_with_one_address_the_first_is_imported(send):
    answer = send(a_row(), a_row(external_id="kc-2", email="ADA@example.org"))

    assert outcome(answer) == (1, 0, 1)
    assert reasons(answer) == [(2, "email", "email_taken")]


def test_an_address_reserved_for_its_former_owner_is_taken(send):
    owner, until = a_user(email="new@example.org"), timezone.now() + timedelta(hours=1)
    FormerAddress.objects.create(
        user=owner, email="ada@example.org", email_canonical="ada@example.org", reserved_until=until
    )

    assert reasons(send(a_row())) == [(1, "email", "email_taken")]
    assert not User.objects.filter(email="ada@example.org").exists()


def test_a_pending_address_is_no_reservation(send, auth_ms):
    user = a_user(email="eve@example.org", email_verified=True)
    User.objects.filter(id=user.id).update(pending_email="ada@example.org")

    assert outcome(send(a_row())) == (1, 0, 0)

    verified = as_json({"email": "ada@example.org"})
    assert auth_ms.post(f"/users-ms/internal/users/{user.id}/email-verified", **verified).status_code == 409


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"external_id": None}, "external_id", "required"),
        ({"external_id": ""}, "external_id", "blank"),
        ({"external_id": 7}, "external_id", "invalid"),
        ({"external_id": "kc\u200b"}, "external_id", "invalid"),
        ({"external_id": "x" * 256}, "external_id", "max_length"),
        ({"email": None}, "email", "required"),
        ({"email": "ada"}, "email", "invalid"),
        ({"email": "аda@example.org"}, "email", "invalid"),  # noqa: RUF001 - a Cyrillic letter, on purpose
        ({"email_verified": "yes"}, "email_verified", "invalid"),
        ({"name": "A\u0007"}, "name", "control_characters"),
        ({"phone": "12"}, "phone", "invalid"),
        ({"scopes": ["admin"]}, "scopes", "reserved"),
        ({"is_admin": True}, "is_admin", "unknown"),
        ({"is_admin": False}, "is_admin", "unknown"),
        ({"id": 1}, "id", "unknown"),
        ({"metadata": {"x": "y" * 4096}}, "metadata", "invalid"),
        ({"created_at": "yesterday"}, "created_at", "invalid"),
        ({"password_hash": "hunter2"}, "password_hash", "unusable_hash"),  # pragma: allowlist secret
        ({"password_hash": HASH.replace("$04$", "$31$")}, "password_hash", "unusable_hash"),
        ({"password_hash": ["$2b$"]}, "password_hash", "invalid"),
    ],
)
def test_a_line_that_is_not_valid_is_refused_and_the_others_are_imported(send, changes, field, code):
    answer = send(a_row(**changes), a_row(external_id="kc-2", email="grace@example.org"))

    assert outcome(answer) == (1, 0, 1)
    assert reasons(answer) == [(1, field, code)]
    assert [user.email for user in User.objects.exclude(is_admin=True)] == ["grace@example.org"]


def test_a_report_contains_no_password_hash(send):
    answer = send(a_row(password_hash="$2b$99$secretsecretsecret"), '{"password_hash": "secret')

    assert "secretsecret" not in answer.text
    assert "secret" not in send('{"password_hash": "secret\n').text


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("{", "invalid"),
        ("[]", "invalid"),
        ('{"external_id": "a\\u0000"}', "invalid"),
        ('{"external_id": "a", "external_id": "b"}', "invalid"),
        ('{"external_id": "a' + "x" * 70_000 + '"}', "too_long"),
        ('{"x": ' + "[" * 1000 + "]" * 1000 + "}", "invalid"),
    ],
)
def test_a_line_that_is_no_object_is_refused_and_the_next_is_read(send, line, code):
    answer = send(f"{line}\n\n{lines(a_row())}")

    assert outcome(answer) == (1, 0, 1)
    assert reasons(answer) == [(1, "", code)]


def test_bytes_that_are_no_utf_8_are_refused(send):
    assert reasons(send(b'{"external_id": "\xff"}\n')) == [(1, "", "invalid")]


def test_a_last_line_may_lack_its_newline_when_the_body_is_complete(send):
    assert outcome(send(lines(a_row()).rstrip("\n"))) == (1, 0, 0)


def test_a_cut_off_line_is_refused():
    given = io.BytesIO(b"external_id,email,time_zone\nkc-1,ada@example.org,America/Ind")

    [refusal] = rows.read(given, media_type=CSV)

    assert (refusal.line, refusal.code) == (2, "cut_off")


def test_csv_has_the_same_members(send):
    text = (
        "\ufeffexternal_id,email,email_verified,name,password_hash,attributes,scopes\r\n"
        f'kc-1,ada@example.org,TRUE,"Lovelace, Ada",{HASH},"{{""team"": ""engines""}}",orders:read orders:write\r\n'
        "kc-2,grace@example.org,,,,,\r\n"
    )

    assert outcome(send(text, content_type=CSV)) == (2, 0, 0)

    ada, grace = (User.objects.get(email=email) for email in ("ada@example.org", "grace@example.org"))
    assert (ada.email_verified, ada.name, ada.password_hash) == (True, "Lovelace, Ada", f"bcrypt${HASH}")
    assert (ada.attributes, ada.scopes) == ({"team": "engines"}, ["orders:read", "orders:write"])
    assert (grace.email_verified, grace.name, grace.attributes, grace.scopes) == (False, "grace", {}, [])


NO_CSV = [
    'kc-1,"ada@example.org',
    "kc-1",
    "kc-1,ada@example.org,x",
    "kc-1,ada@example.org\0",
    "kc\0,ada@example.org",
    '"a"b,c',
]


@pytest.mark.parametrize("line", NO_CSV, ids=repr)
def test_a_line_that_is_no_csv_is_refused_and_the_next_is_read(send, line):
    answer = send(f"external_id,email\n{line}\nkc-2,grace@example.org\n", content_type=CSV)

    assert outcome(answer) == (1, 0, 1)
    assert answer.json()["refusals"][0]["line"] == 2


@pytest.mark.parametrize("header", ["", "email,is_admin", "email,email", "email,password"])
def test_a_csv_header_with_other_columns_imports_nothing(send, header):
    answer = send(f"{header}\nada@example.org,x\n", content_type=CSV)

    assert answer.status_code == 400
    assert "columns" in answer.json()["errors"]


def test_only_an_admin_who_has_just_signed_in_may_import(client, caller, admin, settings):
    def status(who):
        return who.post("/users-ms/imports", data=lines(a_row()), content_type=NDJSON).status_code

    assert status(client) == 401
    assert status(caller(user_id=a_user(email="eve@example.org").id)) == 403
    settings.PRIVILEGED_SESSION_SECONDS = -10
    assert status(admin) == 403
    assert not ImportedUser.objects.exists()


def test_another_media_type_is_rejected(send):
    assert send("{}", content_type="application/json").status_code == 415


def test_a_body_may_be_larger_than_elsewhere_up_to_4_mib(send):
    padding = " " * 60_000
    users = [lines(a_row(external_id=f"kc-{n}", email=f"ada{n}@example.org")) for n in range(60)]
    within = "".join(f"{line}{padding}\n" for line in users)

    assert outcome(send(within)) == (60, 0, 0)
    assert send(within + padding * 20).status_code == 413


def test_the_report_has_the_first_thousand_refusals_and_counts_all(send):
    answer = send("{\n" * 1500)

    assert outcome(answer) == (0, 0, 1500)
    assert len(answer.json()["refusals"]) == 1000


def test_a_batch_costs_few_statements_however_many_lines_it_has(django_assert_max_num_queries):
    def given(first, last):
        text = lines(*(a_row(external_id=f"kc-{n}", email=f"ada{n}@example.org") for n in range(first, last)))
        return rows.read(io.BytesIO(text.encode()), media_type=NDJSON)

    with django_assert_max_num_queries(14):
        report = services.import_users(given(0, 400), origin=Origin(), at=timezone.now())

    assert report.accepted == 400


def test_what_is_stored_stays_when_a_later_batch_fails(monkeypatch):
    monkeypatch.setattr(services, "BATCH", 1)
    given = rows.read(io.BytesIO(lines(a_row()).encode()), media_type=NDJSON)

    def breaking_off():
        yield next(given)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        services.import_users(breaking_off(), origin=Origin(), at=timezone.now())

    assert User.objects.get().email == "ada@example.org"
    assert announced()["accepted"] == 1


def test_a_sign_up_between_look_up_and_insert_keeps_its_address(monkeypatch):
    """The address was free when the line was validated."""
    validated = services._validated

    def validated_and_then_signed_up(row, report):
        found = validated(row, report)
        a_user()
        return found

    monkeypatch.setattr(services, "_validated", validated_and_then_signed_up)

    report = services.import_users(
        rows.read(io.BytesIO(lines(a_row()).encode()), media_type=NDJSON), origin=Origin(), at=timezone.now()
    )

    assert [refusal.code for refusal in report.refusals] == ["email_taken"]


def imported(text, monkeypatch, *options):
    """What the command writes when it reads `text`."""
    given = io.TextIOWrapper(io.BytesIO(text.encode()))
    monkeypatch.setattr("sys.stdin", given)
    output, progress = io.StringIO(), io.StringIO()
    call_command("import_users", *options, stdout=output, stderr=progress)
    return [json.loads(line) for line in output.getvalue().splitlines()], progress.getvalue()


def test_the_command_writes_refusals_and_then_the_sums(monkeypatch):
    (refusal, sums), progress = imported(lines(a_row(), a_row(external_id="kc-2", email="x")), monkeypatch)

    assert (refusal["line"], refusal["field"]) == (2, "email")
    assert sums == {"accepted": 1, "unchanged": 0, "refused": 1}
    assert "2 users" in progress
    data = announced()
    assert (data["accepted"], data["refused"], data["actor_id"]) == (1, 1, None)  # an operator
    assert User.objects.get().email == "ada@example.org"


def test_the_command_reads_csv(monkeypatch):
    [sums], _ = imported("external_id,email\nkc-1,ada@example.org\n", monkeypatch, "--format=csv")

    assert sums["accepted"] == 1
    with pytest.raises(CommandError, match="must name columns"):
        imported("name,password\n", monkeypatch, "--format=csv")


def test_a_password_that_is_shorter_than_the_policy_allows_is_rehashed(send, auth_ms):
    stored = bcrypt.hashpw(b"tiger", bcrypt.gensalt(4)).decode()
    send(a_row(password_hash=stored))
    user = User.objects.get(email="ada@example.org")
    path = f"/users-ms/internal/users/{user.id}/password"

    answer = auth_ms.put(path, **as_json({"password": "tiger", "rehash_of": user.password_hash}))

    assert answer.status_code == 204
    assert User.objects.get(id=user.id).password_hash.startswith("bcrypt_sha256$")


def test_the_policy_still_holds_for_a_new_password(send, auth_ms):
    send(a_row(password_hash=HASH))
    user = User.objects.get(email="ada@example.org")
    change = {"change_id": "6f1c9a52-3f0e-4c0a-9a55-0d9d2f3b7a10", "reason": "change"}
    path = f"/users-ms/internal/users/{user.id}/password"

    assert auth_ms.put(path, **as_json(change | {"password": "tiger"})).status_code == 400
    assert auth_ms.put(path, **as_json(change | {"password": PASSWORD})).status_code == 200
