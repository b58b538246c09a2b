"""The moments in which `kill -9` leaves a step half done. Run by `make chaos`."""

import re
from pathlib import Path

from evidence.chaos.processes import pause, varied
from evidence.harness.waiting import eventually
from local.running_program import running_program

LOGINS = 50


def handled_more_than_once(stack):
    """The events that were delivered to the email worker more than once, by its log."""
    log = (Path(stack.directory) / "logs" / "notification-email-worker.log").read_text()
    ids = re.findall(r"delivery finished.*event_id=(\S+)", log)
    return {event_id for event_id in ids if ids.count(event_id) > 1}


def test_a_relay_killed_between_publishing_and_marking_publishes_again_without_a_second_mail(chaos, delivered, stopped):
    before, repeated_before = chaos.mails_by_message_id(), handled_more_than_once(chaos.stack)
    stopped("auth-outbox-relay")
    with chaos.logins(LOGINS) as logins:
        pass
    with chaos.held("auth", "outbox_outboxmessage", "NEW.published_at IS NOT NULL"):
        chaos.stack.start("auth-outbox-relay")
        eventually(lambda: len(chaos.mails_by_message_id() - before) >= LOGINS)
        chaos.kill("auth-outbox-relay")

    recorded, mailed = delivered()
    unpublished = "SELECT count(*) FROM outbox_outboxmessage WHERE published_at IS NULL"
    eventually(lambda: chaos.query("auth", unpublished) == 0)
    published_twice = eventually(lambda: handled_more_than_once(chaos.stack) - repeated_before)

    mails = chaos.mails_by_message_id() - before
    print(
        f"\nrelay killed before it marked {LOGINS} logins: {len(published_twice)} published twice,"
        f" {mailed} mailed, {sum(count > 1 for count in mails.values())} mails repeated"
    )
    assert [login.result() for login in logins] == [200] * LOGINS
    assert recorded == mailed == LOGINS
    assert set(mails.values()) == {1}


def test_a_worker_killed_before_it_records_a_sent_mail_repeats_that_one_mail(chaos, delivered):
    before = chaos.mails_by_message_id()
    with chaos.held("notification", "deliveries_delivery", "NEW.status = 'sent'"):
        with chaos.logins(LOGINS):
            pass
        eventually(lambda: chaos.mails_by_message_id() - before)
        chaos.kill("notification-email-worker")

    recorded, mailed = delivered()

    mails = chaos.mails_by_message_id() - before
    repeated = [count for count in mails.values() if count > 1]
    print(f"\nworker killed before it recorded a mail: {recorded} logins, {mailed} mailed, {len(repeated)} repeated")
    assert recorded == mailed == LOGINS
    assert repeated == [2]  # with the same Message-ID


def test_two_relays_share_an_outbox_and_one_is_killed(chaos, under_load):
    another = varied(chaos.layout, "auth-outbox-relay", {})
    with running_program(chaos.layout, another), under_load("two relays at once, one killed") as run:
        pause(2)
        chaos.kill("auth-outbox-relay")
        run.recovers()
