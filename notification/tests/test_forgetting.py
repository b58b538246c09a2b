"""What is not kept: tokens, deleted users, old deliveries."""

import itertools
from datetime import timedelta

import pytest
from django.utils import timezone

from notification.tests.builders import MAILED_TOKENS, a_delivery, account_event, login_event, new_user_event
from notification_ms.deliveries import services
from notification_ms.deliveries.failures import TransientFailure
from notification_ms.deliveries.media import Email
from notification_ms.deliveries.models import Delivery

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("event_type", MAILED_TOKENS)
def test_a_token_that_has_expired_is_not_mailed(mail_server, event_type):
    delivery = services.notify(event=account_event(event_type, expires_at="2026-01-01T00:00:00Z"), medium=Email())

    assert (delivery.status, delivery.last_error) == ("skipped", "expired")
    assert mail_server.mails == []


@pytest.mark.parametrize("event_type", MAILED_TOKENS)
def test_a_token_is_never_stored(mail_server, event_type):
    mail_server.replies = ["451 try later"]
    event = account_event(event_type)

    with pytest.raises(TransientFailure):
        services.notify(event=event, medium=Email())
    services.notify(event=event, medium=Email())

    assert "a-token" not in repr(list(Delivery.objects.values()))


@pytest.mark.parametrize("order", list(itertools.permutations(["signed up", "signed in", "changed", "deleted"])))
def test_events_in_whatever_order_are_told_once_until_the_user_is_deleted(mail_server, order):
    events = {
        "signed up": new_user_event(),
        "signed in": login_event(),
        "changed": account_event("password_changed_event"),
    }

    for what in order:
        if what == "deleted":
            services.erase_user(user_id=7, at=timezone.now())
        else:
            services.notify(event=events[what], medium=Email())

    before = order.index("deleted")
    statuses = {delivery.event_id: delivery.status for delivery in Delivery.objects.all()}
    assert [statuses[events[what].id] for what in order if what != "deleted"] == ["sent"] * before + ["skipped"] * (
        3 - before
    )
    assert len(mail_server.mails) == before
    assert set(Delivery.objects.values_list("recipient", flat=True)) == {""}


def test_what_is_known_of_a_deleted_user_is_erased(mail_server):
    services.notify(event=login_event(), medium=Email())
    other = services.notify(event=login_event(user_id=8, email="grace@example.org"), medium=Email())

    for _ in range(2):
        services.erase_user(user_id=7, at=timezone.now())

    erased = Delivery.objects.get(user_id=7)
    assert (erased.recipient, erased.last_error, erased.status) == ("", "", "sent")
    other.refresh_from_db()
    assert other.recipient == "grace@example.org"


def test_an_event_that_comes_after_the_deletion_tells_nothing(mail_server):
    """The order of events is not promised."""
    services.erase_user(user_id=7, at=timezone.now())

    delivery = services.notify(event=login_event(), medium=Email())

    assert (delivery.status, delivery.recipient) == ("skipped", "")
    assert mail_server.mails == []


def test_old_deliveries_are_forgotten(settings):
    settings.NOTIFICATION_RETENTION_DAYS = 30
    old, fresh = a_delivery(), a_delivery()
    Delivery.objects.filter(id=old.id).update(created_at=timezone.now() - timedelta(days=31))

    services.prune(at=timezone.now())

    assert list(Delivery.objects.all()) == [fresh]
