"""Malformed messages of every kind among valid ones: the malformed are dead-lettered, the valid ones are delivered.

`make fuzz` sends 10,000 of them, `make test` a few hundred.
"""

import bz2
import collections
import contextlib
import os
import random
import re
import zlib
from pathlib import Path

import pytest
import requests
from kombu import Connection

from evidence.fuzz import generated_requests
from evidence.fuzz import malformed_messages as messages
from evidence.harness.reports import table
from evidence.harness.waiting import eventually
from local import stack as local_stack
from local.supervisor import Supervisor

NUMBER = int(os.environ.get("FUZZED_MESSAGES", "600"))
SEED = generated_requests.seed()
GOOD_EVERY = 10  # one valid message in this many
WORKERS = ["notification-email-worker", "notification-sms-worker", "auth-event-worker"]
# Queues whose messages cause an email or text message; deletions of unknown users are not confirmed.
NOTIFYING = [name for name in messages.QUEUES if name.endswith("notification") or name == "new_user_email_verification"]
NOTIFYING.remove("user_deleted_email_notification")


def worker_of(queue):
    """The worker that serves a queue, and publishes to it here, as it does for retries."""
    media = [f"notification-{medium}-worker" for medium in ("email", "sms") if f"_{medium}_notification" in queue]
    erasing = ["notification-email-worker"] if queue.endswith("_erasure") else []
    return [*media, *erasing, "auth-event-worker"][0]


@pytest.fixture
def publish(stack):
    """`publish(message)` publishes directly to a queue, with confirmation."""
    options = {"confirm_publish": True}
    with contextlib.ExitStack() as connections:
        channels = {}
        for worker in WORKERS:
            connection = Connection(stack.broker_url_of(worker), transport_options=options)
            channels[worker] = connections.enter_context(connection).channel()
        yield lambda message: publish_as(channels[worker_of(message.queue)], message)


@pytest.fixture
def channel(stack):
    with Connection(stack.broker_url) as connection:
        channel = connection.channel()
        for queue in messages.QUEUES:
            channel.queue_purge(f"{queue}.dead")  # messages of other tests
        yield channel
        for queue in messages.QUEUES:
            channel.queue_purge(f"{queue}.dead")


def publish_as(channel, message):
    headers = {name: value for name, value in message.headers.items() if value is not messages.MISSING}
    prepared = channel.prepare_message(
        message.body,
        content_type=message.content_type,
        content_encoding=message.content_encoding,
        headers=headers,
        properties={"delivery_mode": 2, "app_id": message.kind, "user_id": channel.connection.client.userid},
    )
    channel.basic_publish(prepared, exchange="", routing_key=message.queue)


def everything():
    """The messages in order of publication, and those that must be delivered."""
    chance = random.Random(SEED)
    published, expected = [], []
    for position, bad in enumerate(messages.malformed(NUMBER, seed=SEED)):
        published.append(bad)
        if position % GOOD_EVERY == 0:
            make = messages.strange if position % (2 * GOOD_EVERY) else messages.good
            expected.append(make(NOTIFYING[len(expected) % len(NOTIFYING)], chance))
            published.append(expected[-1])
    return published, expected


def processes(stack):
    """The ids of the workers' processes and their children; None if they are not on this host."""
    layout = local_stack.running(Path(stack.directory))
    if layout is None:
        return None
    parents = {each["name"]: each["pid"] for each in Supervisor(layout).processes() if each["name"] in WORKERS}
    children = [Path(f"/proc/{pid}/task/{pid}/children").read_text() for pid in parents.values()]
    return parents, children


def counts(channel, suffix):
    names = {queue: f"{queue}{suffix}" for queue in messages.QUEUES}
    return {queue: channel.queue_declare(name, passive=True).message_count for queue, name in names.items()}


def emails_to(stack, recipients):
    """The recipients among these for whom the mail server has emails, with the number of emails."""
    answer = requests.get(f"{stack.mail}/api/v1/messages", {"limit": 100_000}, timeout=60).json()
    found = collections.Counter(to["Address"] for mail in answer["messages"] for to in mail["To"])
    return {address: found[address] for address in recipients if found[address]}


def recipient(message):
    if message.queue.endswith("_sms_notification"):
        return f"sms{message.event['data']['phone']}@tessera.example"
    return message.event["data"]["email"]


def dead_letters(channel):
    """Consumes the dead letters; returns the number of each kind by queue."""
    found = collections.Counter()
    for queue in messages.QUEUES:
        while letter := channel.basic_get(f"{queue}.dead", no_ack=True):
            found[queue, letter.properties["app_id"]] += 1
    return found


def report(published, found, missing):
    """Prints a table, and writes it to the file that FUZZED_TABLE names, if any."""
    sent = collections.Counter(message.kind for message in published)
    dead = collections.Counter()
    for (_, kind), number in found.items():
        dead[kind] += number
    rows = [[kind, sent[kind], dead[kind], "-"] for kind in messages.KINDS]
    rows.append(["all malformed", sum(sent.values()) - sent["good"], sum(dead.values()) - dead["good"], "-"])
    rows.append(["valid ones among them", sent["good"], dead["good"], len(missing)])
    lines = table(["messages", "sent", "dead-lettered", "lost"], rows)
    print("\n".join(["", f"SEED={SEED}", *lines]))
    if file := os.environ.get("FUZZED_TABLE"):
        Path(file).write_text("\n".join(lines) + "\n")


def test_malformed_messages_stop_no_worker_and_lose_no_good_one(stack, channel, publish):
    eventually(lambda: all((processes(stack) or (None, []))[1]))  # an earlier test may have started a worker again
    before = processes(stack)
    logged = {worker: len(stack.log(worker)) for worker in WORKERS}
    published, expected = everything()
    recipients = {recipient(message) for message in expected}
    expected = collections.Counter((each.queue, each.kind) for each in published if each.kind != "good")
    wanted = collections.Counter(queue for queue, _ in expected.elements())

    for message in published:
        publish(message)

    def settled():
        return counts(channel, ".dead") == wanted and not any(counts(channel, "").values())

    try:
        eventually(settled, seconds=60 + NUMBER / 20)
        eventually(lambda: len(emails_to(stack, recipients)) == len(recipients))
    finally:
        found = dead_letters(channel)
        report(published, found, recipients - set(emails_to(stack, recipients)))
    assert found == expected
    assert set(emails_to(stack, recipients).values()) == {1}
    assert not emails_to(stack, {f"injected@{messages.DOMAIN}"})
    assert processes(stack) == before
    for worker in WORKERS:
        log = stack.log(worker)[logged[worker] :]
        assert not re.search(r"raised unexpected|Unrecoverable|forged\n|^forged|ready\.", log, re.MULTILINE), log[
            -5000:
        ]
        assert messages.DOMAIN not in log


BOMB_MIB = 256
COMPRESSIONS = {"gzip": zlib.compress, "application/x-gzip": zlib.compress, "bzip2": bz2.compress}


def peaks(stack):
    """The peak memory of each worker process, in MiB."""
    parents, children = processes(stack)
    ids = [*map(str, parents.values()), *" ".join(children).split()]
    found = {pid: re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()) for pid in ids}
    return {pid: int(peak[1]) / 1024 for pid, peak in found.items()}


def test_a_compressed_message_is_never_decompressed(stack, channel, publish):
    if processes(stack) is None:
        pytest.skip("the workers' memory can be measured only on this host")
    before = peaks(stack)
    queues = ("login_email_notification", "login_sms_notification", "user_deleted_session_revocation")
    chance = random.Random(SEED)
    for name, compress in COMPRESSIONS.items():
        bomb = compress(bytes(BOMB_MIB << 20))
        for queue in queues:
            message = messages.good(queue, chance)
            message.body, message.headers["compression"], message.kind = bomb, name, "bomb"
            publish(message)

    eventually(lambda: all(counts(channel, ".dead")[queue] == len(COMPRESSIONS) for queue in queues))

    after = peaks(stack)
    assert before.keys() == after.keys()
    assert all(after[pid] < before[pid] + BOMB_MIB / 4 for pid in before), (before, after)
