"""What mails say, to whom and in which language, over a real SMTP connection."""

import pytest

from chassis.events import CloudEvent, InvalidEvent
from notification.tests.builders import MAILED_TOKENS, account_event, login_event, new_user_event
from notification_ms.deliveries import services
from notification_ms.deliveries.media import Email
from notification_ms.deliveries.models import Delivery

pytestmark = pytest.mark.django_db


def test_a_login_is_told_by_mail_with_when_where_and_which_device(mail_server):
    delivery = services.notify(event=login_event(), medium=Email())

    [mail] = mail_server.mails
    text = mail.get_body(("plain",)).get_content()
    assert mail["To"] == "ada@example.org"
    assert mail["Subject"] == "New sign-in to your account"
    assert "2026-01-31 13:00 Europe/Rome" in text
    assert "192.0.2.7" in text
    assert "Firefox" in text
    assert "192.0.2.7" in mail.get_body(("html",)).get_content()
    assert (delivery.status, delivery.attempts) == ("sent", 1)
    assert delivery.sent_at is not None


def test_the_mail_is_written_in_the_users_language(mail_server):
    services.notify(event=login_event(locale="it-IT"), medium=Email())
    services.notify(event=new_user_event(locale="de"), medium=Email())

    assert [mail["Subject"] for mail in mail_server.mails] == ["Nuovo accesso al tuo account", "Welcome, Ada"]


def test_what_a_user_writes_cannot_become_markup_or_a_header(mail_server):
    services.notify(event=new_user_event(name="<script>x</script>"), medium=Email())
    services.notify(event=login_event(user_agent="<img src=x>"), medium=Email())

    for mail in mail_server.mails:
        html = mail.get_body(("html",)).get_content()
        assert "<script>" not in html
        assert "<img" not in html


@pytest.mark.parametrize(
    "event",
    [
        login_event(email=None),
        login_event(user_id="7"),
        login_event(logged_in_at="yesterday"),
        CloudEvent(**(vars(login_event()) | {"type": "unheard_of_event"})),
    ],
)
def test_an_event_without_what_its_text_needs_is_invalid(event):
    with pytest.raises(InvalidEvent):
        services.notify(event=event, medium=Email())

    assert not Delivery.objects.exists()


@pytest.mark.parametrize("time_zone", ["Mars/Olympus", "../etc/passwd", "", None])
def test_an_unknown_time_zone_is_no_reason_not_to_tell(mail_server, time_zone):
    services.notify(event=login_event(time_zone=time_zone), medium=Email())

    assert "2026-01-31 12:00 UTC" in mail_server.mails[0].get_body(("plain",)).get_content()


@pytest.mark.parametrize("event_type", MAILED_TOKENS)
@pytest.mark.parametrize("locale", ["en", "it"])
def test_a_token_is_mailed_as_it_is_when_there_is_no_page_for_it(mail_server, event_type, locale, settings):
    settings.PASSWORD_RESET_URL = settings.EMAIL_VERIFICATION_URL = ""
    services.notify(event=account_event(event_type, locale=locale), medium=Email())

    [mail] = mail_server.mails
    for kind in ("plain", "html"):
        text = mail.get_body((kind,)).get_content()
        assert "a-token/with+signs" in text
        assert "2999-01-31 13:00 Europe/Rome" in text
        assert "http" not in text


@pytest.mark.parametrize(
    ("event_type", "setting"), [(MAILED_TOKENS[0], "PASSWORD_RESET_URL"), (MAILED_TOKENS[1], "EMAIL_VERIFICATION_URL")]
)
def test_a_token_is_mailed_as_a_link_to_the_page_for_it(mail_server, settings, event_type, setting):
    setattr(settings, setting, "https://app.example/page?token={token}&x=1")

    services.notify(event=account_event(event_type), medium=Email())

    [mail] = mail_server.mails
    assert "https://app.example/page?token=a-token%2Fwith%2Bsigns&x=1" in mail.get_body(("plain",)).get_content()
    assert "https://app.example/page?token=a-token%2Fwith%2Bsigns&amp;x=1" in mail.get_body(("html",)).get_content()


def test_a_changed_password_is_told_with_when_where_and_which_device(mail_server):
    services.notify(event=account_event("password_changed_event", locale="it"), medium=Email())

    [mail] = mail_server.mails
    text = mail.get_body(("plain",)).get_content()
    assert mail["Subject"] == "La tua password è stata cambiata"
    assert "2026-01-31 13:00 Europe/Rome" in text
    assert "192.0.2.7" in text
    assert "Firefox" in text


@pytest.mark.parametrize("locale", ["en", "it"])
def test_a_login_mail_leads_to_ending_that_session(mail_server, settings, locale):
    settings.SESSION_URL = "https://app.example/sessions/{session_id}/end"

    services.notify(event=login_event(locale=locale, session_id=4711), medium=Email())

    [mail] = mail_server.mails
    for kind in ("plain", "html"):
        assert "https://app.example/sessions/4711/end" in mail.get_body((kind,)).get_content()
