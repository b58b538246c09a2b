"""Texts, recipients and languages of emails, over a real SMTP connection."""

from pathlib import Path

import pytest

from chassis.messaging.events import CloudEvent, InvalidEvent
from chassis.security import encryption
from notification.tests import builders
from notification.tests.builders import CHANGES, MAILED_TOKENS, account_event, login_event, new_user_event
from notification_ms.deliveries import display_text, notices, services
from notification_ms.deliveries.failures import PermanentFailure
from notification_ms.deliveries.media import Email, TextMessage
from notification_ms.deliveries.models import Delivery

pytestmark = pytest.mark.django_db


def test_a_login_email_has_time_address_and_device(mail_server):
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


def test_an_email_is_in_the_users_language(mail_server):
    services.notify(event=login_event(locale="it-IT"), medium=Email())
    services.notify(event=new_user_event(locale="de"), medium=Email())

    assert [mail["Subject"] for mail in mail_server.mails] == ["Nuovo accesso al tuo account", "Welcome"]


def test_user_input_cannot_become_markup_or_a_header(mail_server):
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
def test_an_event_without_data_for_its_text_is_invalid(event):
    with pytest.raises(InvalidEvent):
        services.notify(event=event, medium=Email())

    assert not Delivery.objects.exists()


@pytest.mark.parametrize("time_zone", ["Mars/Olympus", "../etc/passwd", "", None])
def test_an_unknown_time_zone_does_not_prevent_a_notification(mail_server, time_zone):
    services.notify(event=login_event(time_zone=time_zone), medium=Email())

    assert "2026-01-31 12:00 UTC" in mail_server.mails[0].get_body(("plain",)).get_content()


@pytest.mark.parametrize("event_type", MAILED_TOKENS)
@pytest.mark.parametrize("locale", ["en", "it"])
def test_a_token_is_mailed_without_a_link_when_no_page_is_configured(mail_server, event_type, locale, settings):
    setattr(settings, MAILED_TOKENS[event_type], "")
    services.notify(event=account_event(event_type, locale=locale), medium=Email())

    [mail] = mail_server.mails
    for kind in ("plain", "html"):
        text = mail.get_body((kind,)).get_content()
        assert "a-token/with+signs" in text
        assert "2999-01-31 13:00 Europe/Rome" in text
        assert "http" not in text


@pytest.mark.parametrize(("event_type", "setting"), MAILED_TOKENS.items())
def test_a_token_is_mailed_as_a_link_to_its_page(mail_server, settings, event_type, setting):
    setattr(settings, setting, "https://app.example/page?token={token}&x=1")

    services.notify(event=account_event(event_type), medium=Email())

    [mail] = mail_server.mails
    assert "https://app.example/page?token=a-token%2Fwith%2Bsigns&x=1" in mail.get_body(("plain",)).get_content()
    assert "https://app.example/page?token=a-token%2Fwith%2Bsigns&amp;x=1" in mail.get_body(("html",)).get_content()


def test_a_password_change_email_has_time_address_and_device(mail_server):
    services.notify(event=account_event("password_changed_event", locale="it"), medium=Email())

    [mail] = mail_server.mails
    text = mail.get_body(("plain",)).get_content()
    assert mail["Subject"] == "La tua password è stata cambiata"
    assert "2026-01-31 13:00 Europe/Rome" in text
    assert "192.0.2.7" in text
    assert "Firefox" in text


@pytest.mark.parametrize("locale", ["en", "it"])
def test_a_login_email_links_to_ending_its_session(mail_server, settings, locale):
    settings.SESSION_URL = "https://app.example/sessions/{session_id}/end"

    services.notify(event=login_event(locale=locale, session_id=4711), medium=Email())

    [mail] = mail_server.mails
    for kind in ("plain", "html"):
        assert "https://app.example/sessions/4711/end" in mail.get_body((kind,)).get_content()


LURE = "Your parcel waits: https://evil.example/pay www.evil.example +39 06 1234 5678"


def texts_of(mail):
    """The subject and both bodies of an email."""
    return [mail["Subject"], *(mail.get_body((kind,)).get_content() for kind in ("plain", "html"))]


def looks_like_a_link(text):
    return any(lure in text for lure in ("evil.example", "https:", "eve@evil", "5678"))


@pytest.mark.parametrize(
    "event",
    [
        login_event(name=LURE, user_agent=LURE),
        new_user_event(name=LURE, email_verified=True),
        account_event("password_changed_event", name=LURE, user_agent=LURE.partition("+")[0]),
        account_event("email_change_requested_event", name=LURE, new_email="e***@evil.example"),
        account_event("account_changed_event", change="email_changed", name=LURE, new_email="eve@evil.example"),
        account_event("account_changed_event", change="rights_changed", name=LURE, scopes=["https://evil.example/x"]),
        account_event("sign_in_changed_event", change="passkey_added", name=LURE, user_agent="evil.example"),
        account_event("user_deleted_event", name=LURE, user_agent="https://evil.example"),
    ],
    ids=lambda event: event.data.get("change", event.type),
)
@pytest.mark.parametrize("locale", ["en", "it"])
def test_user_input_becomes_no_link_and_appears_in_no_subject(mail_server, settings, event, locale):
    for setting in (*MAILED_TOKENS.values(), "SESSION_URL"):
        setattr(settings, setting, "")
    event.data["locale"] = locale
    event.data["user_agent"] = event.data.get("user_agent", "").replace("+39 06 1234 5678", "")

    assert services.notify(event=event, medium=Email()).status == "sent"

    subject, *bodies = texts_of(mail_server.mails[0])
    assert "parcel" not in subject
    assert not any(looks_like_a_link(body) for body in bodies)
    if "email_change" not in event.type:
        assert "evil[.]example" in bodies[0] + str(event.type == "new_user_event" and "evil[.]example")


@pytest.mark.parametrize(
    "event_type", ["email_verification_requested_event", "password_reset_requested_event", "sign_up_repeated_event"]
)
@pytest.mark.parametrize("locale", ["en", "it"])
def test_an_email_to_an_unverified_address_contains_no_user_input(mail_server, event_type, locale):
    event = account_event(event_type, name="Parcelwaits", user_agent="Payhere", email_verified=False, locale=locale)

    assert services.notify(event=event, medium=Email()).status == "sent"

    for text in texts_of(mail_server.mails[0]):
        assert "Parcelwaits" not in text
        assert "Payhere" not in text


@pytest.mark.parametrize(
    "event",
    [
        login_event(email_verified=False),
        new_user_event(email_verified=False),
        account_event("password_changed_event", email_verified=False),
        account_event("email_change_requested_event", email_verified=False, new_email="a***@example.net"),
        account_event("account_changed_event", change="rights_changed", email_verified=False),
        account_event("sign_in_changed_event", change="passkey_added", email_verified=False),
        account_event("user_deleted_event", email_verified=False),
    ],
    ids=lambda event: event.type,
)
def test_an_unverified_address_is_not_notified(mail_server, event):
    delivery = services.notify(event=event, medium=Email())

    assert (delivery.status, delivery.last_error, delivery.attempts) == ("skipped", "the address is not verified", 0)
    assert mail_server.mails == []


def test_users_without_a_verified_address_get_no_text_message():
    assert services.notify(event=login_event(email_verified=False), medium=TextMessage()).status == "skipped"


@pytest.mark.parametrize(("event_type", "change"), [pair for pair in CHANGES if pair[1] != "email_change_requested"])
def test_every_change_is_notified_with_time_address_device_and_advice(mail_server, event_type, change):
    services.notify(event=account_event(event_type, change=change), medium=Email())

    [mail] = mail_server.mails
    for text in texts_of(mail)[1:]:
        assert "2026-01-31 13:00 Europe/Rome" in text
        assert "192.0.2.7" in text
        assert "Firefox" in text
        assert "If " in text
        assert "\n\n\n" not in text.replace("\r", "")


@pytest.mark.parametrize("actor", [{"actor_id": 2}, {"actor_id": None, "scim_client_id": 5}], ids=str)
def test_an_email_about_anothers_change_does_not_disclose_their_address(mail_server, actor):
    services.notify(
        event=account_event("account_changed_event", change="rights_changed", is_admin=True, **actor), medium=Email()
    )

    for text in texts_of(mail_server.mails[0])[1:]:
        assert "an administrator" in text
        assert "192.0.2.7" not in text
        assert "contact us" in text


def test_a_requested_change_of_address_is_notified_by_the_undo_email_only(mail_server):
    delivery = services.notify(
        event=account_event("account_changed_event", change="email_change_requested"), medium=Email()
    )

    assert (delivery.status, delivery.last_error) == ("skipped", "notified by email_change_requested_event")
    assert mail_server.mails == []


def test_both_addresses_are_notified_of_a_change_with_the_new_one_masked_for_the_old(mail_server):
    facts = {"change": "email_changed", "old_email": "ada@example.org", "new_email": "grace@example.net"}
    services.notify(event=account_event("account_changed_event", **facts), medium=Email())
    services.notify(event=account_event("account_changed_event", email="grace@example.net", **facts), medium=Email())

    old, new = mail_server.mails
    assert (old["To"], new["To"]) == ("ada@example.org", "grace@example.net")
    assert "g***[@]example[.]net" in texts_of(old)[1]
    assert "72 hours" in texts_of(old)[1]
    assert "grace" not in texts_of(old)[1]
    assert "Sign in with it" in texts_of(new)[1]


@pytest.mark.parametrize("first_proof", [True, False])
@pytest.mark.parametrize(
    "event",
    [
        account_event("account_changed_event", change="email_verified"),
        account_event("account_changed_event", change="email_changed", new_email="ada@example.org"),
        account_event("password_changed_event", reason="reset"),
    ],
    ids=lambda event: event.data.get("change", event.type),
)
def test_the_email_about_a_first_verification_lists_what_was_revoked(mail_server, event, first_proof):
    event.data["first_proof"] = first_proof

    services.notify(event=event, medium=Email())

    assert ("sessions were ended, and passkeys" in texts_of(mail_server.mails[0])[1]) is first_proof


@pytest.mark.parametrize("change", ["unheard_of", ""])
def test_a_change_without_a_text_is_invalid(change):
    with pytest.raises(InvalidEvent, match="no text for the change"):
        services.notify(event=account_event("sign_in_changed_event", change=change), medium=Email())


def test_the_email_about_a_sign_in_that_verified_the_address_says_that_the_password_ended(mail_server):
    facts = {"change": "email_verified", "first_proof": True, "password_ended": True}

    for locale in ("en", "it"):
        services.notify(event=account_event("account_changed_event", **facts, locale=locale), medium=Email())

    english, italian = (texts_of(mail)[1] for mail in mail_server.mails)
    assert "the password of before is no longer valid" in english and "Sign in again" not in english
    assert "la password di prima non vale più" in italian and "Accedi di nuovo" not in italian


@pytest.mark.parametrize("locale", ["en", "it"])
@pytest.mark.parametrize("page", ["", "https://accounts.example/auth-ms/oauth/email#{code}"])
def test_a_code_to_sign_in_is_mailed_with_the_link_that_brings_it(mail_server, settings, locale, page):
    settings.EMAIL_SIGN_IN_URL = page
    event = account_event("email_sign_in_requested_event", locale=locale, email_verified=False)

    assert services.notify(event=event, medium=Email()).status == "sent"

    subject, *bodies = texts_of(mail_server.mails[0])
    assert "908172" not in subject
    for body in bodies:
        assert "908172" in body and "192.0.2.7" in body and "Ada" not in body
        assert ("https://accounts.example/auth-ms/oauth/email#908172" in body) is bool(page)
    assert "908172" not in repr(list(Delivery.objects.values()))


def test_a_code_is_sent_to_the_phone_that_it_confirms(mail_server, settings):
    settings.SMS_URL = (
        f"mailto://127.0.0.1:{mail_server.port}/?from=sms@tessera.example&to=sms{{phone}}@tessera.example&mode=insecure"
    )

    services.notify(
        event=account_event("phone_verification_requested_event", phone="+390612345678"), medium=TextMessage()
    )

    [mail] = mail_server.mails
    assert "sms+390612345678" in mail["To"]
    assert "908172 confirms your phone number" in mail.get_content()
    assert "908172" not in repr(list(Delivery.objects.values()))


def test_an_unencrypted_token_from_an_older_auth_ms_is_mailed_too(mail_server):
    event = account_event("password_reset_requested_event", sealed_token=None, token="of-the-version-before")

    services.notify(event=event, medium=Email())

    assert "of-the-version-before" in texts_of(mail_server.mails[0])[1]


@pytest.mark.parametrize(
    "sealed_token",
    [
        builders.encrypted("of-another-event", "email_verification_requested_event"),
        encryption.encrypt_with_public_key(
            "x", public_key=encryption.generate_key_pair()[1], info="password_reset_requested_event"
        ),
        "not-encrypted",
        "",
    ],
    ids=["of another event", "to another key", "not encrypted", "empty"],
)
def test_a_secret_that_cannot_be_decrypted_is_not_sent_and_the_reason_names_the_variable(mail_server, sealed_token):
    event = account_event("password_reset_requested_event", sealed_token=sealed_token)

    with pytest.raises(PermanentFailure, match="SEALING_PRIVATE_KEY"):
        services.notify(event=event, medium=Email())

    assert mail_server.mails == []
    assert Delivery.objects.get().status == "failed"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("J. R. R. Tolkien", "J. R. R. Tolkien"),
        ("evil.example", "evil[.]example"),
        ("evil\u3002example", "evil[.]example"),
        ("http://evil", "http[:]//evil"),
        ("mailto:eve@evil", "mailto[:]eve[@]evil"),
        ("Mozilla/5.0 (X11; rv:130.0)", "Mozilla/5.0 (X11; rv:130.0)"),
        ("a\r\nb\u202ec\u200bd", "a bcd"),
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"),
    ],
)
def test_text_is_defanged_and_stays_readable(text, shown):
    assert display_text.defanged(text) == shown


def test_subjects_contain_no_user_input():
    subjects = sorted((Path(notices.__file__).parent / "templates").glob("*/*/subject.txt"))

    assert len(subjects) > 20
    assert not [subject for subject in subjects if "{{" in subject.read_text()]
    assert notices.subject(folder="account_changed", change="email_changed", language="en") == (
        "Your email address was changed"
    )
