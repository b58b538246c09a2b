"""LOGIN_NOTICES: users are told of sign-ins from a new device or network, or of all."""

from datetime import timedelta

import pytest
from django.utils import timezone

from notification.tests.builders import login_event
from notification_ms.deliveries import devices, services
from notification_ms.deliveries.failures import TransientFailure
from notification_ms.deliveries.media import Email, TextMessage
from notification_ms.deliveries.models import KnownDevice

pytestmark = pytest.mark.django_db
PATH = "/notification-ms/preferences"
KNOWN = "signed in from a known device and network"


@pytest.fixture(autouse=True)
def new_devices(settings):
    settings.LOGIN_NOTICES = "new_devices"


def told(medium=None, **changes):
    """Whether a sign-in is told."""
    delivery = services.notify(event=login_event(**changes), medium=medium or Email())
    assert delivery.status == "sent" or delivery.last_error == KNOWN
    return delivery.status == "sent"


def test_the_first_sign_in_is_told_and_the_next_from_there_is_not(mail_server):
    assert [told(), told(), told()] == [True, False, False]
    assert len(mail_server.mails) == 1


@pytest.mark.parametrize(
    ("changes", "is_new"),
    [
        ({"address": "192.0.2.200"}, False),  # the same /24
        ({"address": "192.0.3.7"}, True),
        ({"user_agent": "Firefox 2"}, True),
        ({"user_agent": ""}, True),
        ({"address": None}, True),
        ({"address": "2001:db8:1:2::7"}, True),
        ({"user_id": 8}, True),
    ],
)
def test_another_device_another_network_or_another_user_is_new(mail_server, changes, is_new):
    told()

    assert told(**changes) is is_new


def test_an_ipv6_network_has_48_bits(mail_server):
    assert told(address="2001:db8:1:2::7")
    assert not told(address="2001:db8:1:ffff::9")
    assert told(address="2001:db8:2:2::7")


def test_a_sign_in_without_an_address_is_always_told(mail_server):
    assert [told(address=None), told(address=None)] == [True, True]


def test_each_medium_tells_of_the_same_sign_ins(mail_server, settings):
    settings.SMS_URL = (
        f"mailto://127.0.0.1:{mail_server.port}/?from=sms@tessera.example&to=sms{{phone}}@tessera.example&mode=insecure"
    )
    first, second = login_event(), login_event()

    statuses = [
        services.notify(event=event, medium=medium).status
        for event in (first, second)
        for medium in (TextMessage(), Email())
    ]

    assert statuses == ["sent", "sent", "skipped", "skipped"]


def test_a_notice_that_fails_at_first_is_told_later(mail_server):
    mail_server.replies = ["451 try later"]
    event = login_event()

    with pytest.raises(TransientFailure):
        services.notify(event=event, medium=Email())

    assert services.notify(event=event, medium=Email()).status == "sent"
    assert not told()


def test_what_is_not_told_makes_no_device_known(mail_server):
    unverified = services.notify(event=login_event(email_verified=False, phone=""), medium=Email())

    assert unverified.status == "skipped"
    assert told()


def test_a_user_may_prefer_all_and_change_back(caller, mail_server):
    ada = caller(user_id=7)
    told()

    every = ada.put(PATH, {"preferences": [], "login_notices": "all"}, content_type="application/json").json()
    all_told = [told(), told()]
    back = ada.put(PATH, {"preferences": []}, content_type="application/json").json()

    assert (every["login_notices"], every["login_notices_can_be_changed"]) == ("all", True)
    assert all_told == [True, True]
    assert back["login_notices"] == ada.get(PATH).json()["login_notices"] == "new_devices"
    assert not told()
    assert caller(user_id=8).get(PATH).json()["login_notices"] == "new_devices"


def test_an_unknown_level_is_rejected(caller):
    body = {"preferences": [], "login_notices": "none"}

    answer = caller(user_id=7).put(PATH, body, content_type="application/json")

    assert answer.status_code == 400 and list(answer.json()["errors"]) == ["login_notices"]


def test_an_installation_may_tell_of_all(caller, mail_server, settings):
    settings.LOGIN_NOTICES = "all"
    ada = caller(user_id=7)

    answer = ada.put(PATH, {"preferences": []}, content_type="application/json").json()

    assert [told(), told()] == [True, True]
    assert (answer["login_notices"], answer["login_notices_can_be_changed"]) == ("all", False)
    assert not KnownDevice.objects.exists()  # costs no statement


def test_no_address_is_stored_and_an_erased_users_devices_are_forgotten(mail_server):
    told()
    assert "192.0.2" not in repr(list(KnownDevice.objects.values()))

    services.erase_user(user_id=7, at=timezone.now())

    assert not KnownDevice.objects.exists()


def test_a_device_that_is_not_used_for_90_days_is_new_again(mail_server):
    told()
    KnownDevice.objects.update(last_seen_at=timezone.now() - timedelta(days=89))
    services.prune(at=timezone.now())
    assert not told()  # and is used again today

    services.prune(at=timezone.now() + timedelta(days=91))

    assert told()


@pytest.mark.parametrize("text", ["", "x", "192.0.2", "192.0.2.7.9", "::g"])
def test_text_that_is_no_address_is_no_network(text):
    assert devices.network_of(text) == ""
