"""The permissions of each process's broker user, tested on the real broker."""

import uuid
from contextlib import contextmanager

import pytest
import requests
import yaml
from amqp.exceptions import AccessRefused, PreconditionFailed
from kombu import Connection

from evidence.harness.local_processes import layout_of
from evidence.harness.messages import a_login_event, dead, publish
from evidence.harness.waiting import eventually
from local.paths import ROOT

CONTRACT = yaml.safe_load((ROOT / "docs" / "asyncapi.yaml").read_text())
EVENTS = set(CONTRACT["channels"])
QUEUES = {name for name, operation in CONTRACT["operations"].items() if operation["action"] == "receive"}
EMAIL = {name for name in QUEUES if "_email_notification" in name or "_webhook_" in name} | {
    "user_deleted_data_erasure"
}
SMS = {name for name in QUEUES if "_sms_notification" in name}
AUTH = QUEUES - EMAIL - SMS
# By user: the queues that it may read, and the events that it may publish.
PROCESSES = {
    "users-outbox-relay": (set(), "users_ms_sends_"),
    "auth-outbox-relay": (set(), "auth_ms_sends_"),
    "auth-event-worker": (AUTH, None),
    "notification-ms": ({f"{queue}.dead" for queue in EMAIL | SMS}, None),
    "notification-email-worker": (EMAIL, None),
    "notification-sms-worker": (SMS, None),
    "queue-lengths": (set(), None),
}
TO_DEFAULT_EXCHANGE = {"auth-event-worker", "notification-ms"} | {
    f"notification-{medium}-worker" for medium in ("email", "sms")
}
# auth-ms published this event before users-ms did, and its outbox may contain some.
INHERITED = {("auth-outbox-relay", "password_changed_event")}


@pytest.fixture(params=list(PROCESSES))
def process(request):
    return request.param


@pytest.fixture
def connection(stack, process):
    with Connection(stack.broker_url_of(process)) as connection:
        yield connection


@contextmanager
def expect_rejection(connection, error=AccessRefused):
    """Yields a new channel, and expects the broker to close it with the error."""
    channel = connection.channel()
    with pytest.raises(error):
        yield channel
        channel.basic_qos(0, 1, False)  # needs no permission; waits for the broker's answer


def send(channel, *, exchange, routing_key="", user_id=None):
    properties = {"user_id": user_id} if user_id else {}
    message = channel.prepare_message("{}", content_encoding="utf-8", properties=properties)
    channel.basic_publish(message, exchange, routing_key)


@pytest.mark.parametrize("process", ["users-outbox-relay", "auth-outbox-relay", "queue-lengths"])
def test_relays_and_autoscaling_can_ask_for_queues(connection, process):
    """A relay waits for its consumers' queues; autoscaling reads their lengths."""
    sent = _events_of(process) or EVENTS
    for queue in sorted(QUEUES):
        if CONTRACT["operations"][queue]["channel"]["$ref"].rpartition("/")[2] in sent:
            connection.channel().queue_declare(queue, passive=True)


def _events_of(process):
    _, prefix = PROCESSES[process]
    return {
        operation["channel"]["$ref"].rpartition("/")[2]
        for name, operation in CONTRACT["operations"].items()
        if prefix and name.startswith(prefix)
    }


def test_a_process_cannot_read_queues_of_another(connection, process):
    readable, _ = PROCESSES[process]
    retries = {f"retry.{other}.1s" for other in PROCESSES if "worker" in other} - {f"retry.{process}.1s"}
    others = QUEUES | {f"{queue}.dead" for queue in QUEUES} | retries
    for queue in sorted(others - readable):
        with expect_rejection(connection) as channel:
            channel.basic_get(queue)
        with expect_rejection(connection) as channel:
            channel.basic_consume(queue)


def test_a_process_cannot_publish_events_of_another_service(connection, process):
    for event in sorted(EVENTS - _events_of(process)):
        if (process, event) not in INHERITED:
            with expect_rejection(connection) as channel:
                send(channel, exchange=event)


def test_only_processes_that_publish_retries_can_use_the_default_exchange(connection, process):
    if process in TO_DEFAULT_EXCHANGE:
        channel = connection.channel()
        send(channel, exchange="", routing_key="a missing queue")
        channel.basic_qos(0, 1, False)  # waits for the broker's answer
        return
    with expect_rejection(connection) as channel:
        send(channel, exchange="", routing_key="login_email_notification")


def test_a_process_cannot_claim_another_user_id(connection, process):
    if process in TO_DEFAULT_EXCHANGE:
        with expect_rejection(connection, PreconditionFailed) as channel:
            send(channel, exchange="", routing_key="login_email_notification", user_id="auth-outbox-relay")


def test_a_process_cannot_change_shared_exchanges_and_queues(connection, process):
    readable, _ = PROCESSES[process]
    own = {queue for queue in readable if not queue.endswith(".dead")}
    for queue in sorted(QUEUES - own):
        with expect_rejection(connection) as channel:
            channel.queue_delete(queue)
        with expect_rejection(connection) as channel:
            channel.queue_purge(queue)
        with expect_rejection(connection) as channel:
            channel.queue_bind(queue, "new_user_event")
    for event in sorted(EVENTS):
        with expect_rejection(connection) as channel:
            channel.exchange_delete(event)
    with expect_rejection(connection) as channel:
        channel.queue_declare(f"mine-{uuid.uuid4().hex}")
    with expect_rejection(connection) as channel:
        channel.exchange_declare(f"mine-{uuid.uuid4().hex}", "fanout")


def test_a_process_cannot_bind_its_own_queue_to_events(stack, connection, process):
    """Binding requires write permission on the queue and read permission on the exchange."""
    with expect_rejection(connection) as channel:
        channel.queue_declare("", exclusive=True)


def forge(channel, user, *, source):
    """Publishes a deletion as the relay of users-ms does, but directly to the queue."""
    event = a_login_event(type="user_deleted_event", source=source, subject=f"users/{user['id']}")
    event["data"] = {"user_id": user["id"], "deleted_at": "2026-01-31T12:00:00+00:00", "email": user["email"]}
    for queue in ("user_deleted_session_revocation", "user_deleted_data_erasure"):
        publish(channel, event, exchange="", task="user_deleted_event", routing_key=queue)
    return event["id"]


@pytest.mark.parametrize("process", sorted(TO_DEFAULT_EXCHANGE))
def test_a_forged_deletion_deletes_nothing(stack, connection, process):
    user = stack.sign_up()
    token = stack.log_in(user["email"]).json()["access_token"]

    event_id = forge(connection.channel(), user, source="/users-ms")

    with Connection(stack.broker_url) as administrators:
        channel = administrators.channel()
        for queue in ("user_deleted_session_revocation", "user_deleted_data_erasure"):
            eventually(lambda queue=queue: dead(channel, queue, event_id))
    sessions = requests.get(
        f"{stack.auth}/auth-ms/auth/sessions", headers={"Authorization": f"Bearer {token}"}, timeout=60
    )
    assert sessions.status_code == 200
    assert stack.log_in(user["email"]).status_code == 200


def test_a_deletion_forged_with_the_relays_credentials_is_confirmed_before_anything_is_erased(stack):
    user = stack.sign_up()
    token = stack.log_in(user["email"]).json()["access_token"]
    event = a_login_event(type="user_deleted_event", source="/users-ms", subject=f"users/{user['id']}")
    event["data"] = {"user_id": user["id"], "deleted_at": "2026-01-31T12:00:00+00:00"}

    with Connection(stack.broker_url_of("users-outbox-relay")) as relay:
        publish(relay.channel(), event, exchange="user_deleted_event", task="user_deleted_event")

    with Connection(stack.broker_url) as administrators:
        channel = administrators.channel()
        eventually(lambda: dead(channel, "user_deleted_session_revocation", event["id"]))
    headers = {"Authorization": f"Bearer {token}"}
    assert requests.get(f"{stack.auth}/auth-ms/auth/sessions", headers=headers, timeout=60).status_code == 200


@pytest.mark.parametrize("user", ["tessera", "guest"])
def test_there_is_no_default_broker_user(stack, user):
    url = stack.broker_url.replace("administrator:", f"{user}:")
    with pytest.raises((AccessRefused, OSError)), Connection(url) as connection:
        connection.connect()


def test_only_dead_letters_expire_after_a_day(stack):
    """Checks the effective arguments of all queues, which contain personal data."""
    layout = layout_of(stack.directory)
    account = ("administrator", layout.secrets["ADMINISTRATOR_BROKER_PASSWORD"])

    def ask(what):
        return requests.get(f"{layout.url('RABBITMQ_MANAGEMENT_PORT')}/api/{what}", auth=account, timeout=60).json()

    [policy] = ask("policies")
    applied = {queue["name"]: queue.get("policy") for queue in ask("queues")}

    assert policy["definition"] == {"message-ttl": 24 * 3600 * 1000}
    assert {f"{queue}.dead" for queue in QUEUES} <= set(applied)
    for name, found in applied.items():
        assert found == (policy["name"] if name.endswith(".dead") else None), name


@pytest.mark.parametrize("process", list(PROCESSES))
def test_no_process_can_use_the_management_api(stack, process):
    layout = layout_of(stack.directory)
    account = (process, layout.secrets[f"{process.replace('-', '_').upper()}_BROKER_PASSWORD"])

    answer = requests.get(f"{layout.url('RABBITMQ_MANAGEMENT_PORT')}/api/overview", auth=account, timeout=60)

    assert answer.status_code == 401
