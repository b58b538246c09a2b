"""Providers for sign-in: registered by admins, with a secret that is never shown again."""

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from prometheus_client import generate_latest

from auth.tests.builders import as_json
from auth.tests.external_provider import CLIENT_ID, SECRET, come_back, linked, press, sign_in
from auth_ms.external.services import sign_ins
from auth_ms.keys.services import vault
from auth_ms.models import AuditEvent, ExternalIdentity, ExternalProvider, ExternalSignIn
from chassis.operations.metrics import REGISTRY

pytestmark = pytest.mark.django_db
PATH = "/auth-ms/external-providers"


def values(fake, **changes):
    known = {"slug": "fake", "name": "Fake", "issuer": fake.issuer, "client_id": CLIENT_ID, "client_secret": SECRET}
    return {name: value for name, value in (known | changes).items() if value is not None}


def create(client, fake, **changes):
    return client.post(PATH, **as_json(values(fake, **changes)))


def change(client, **changes):
    return client.put(f"{PATH}/fake", **as_json({"name": "Fake", "client_id": CLIENT_ID} | changes))


def test_an_admin_adds_a_provider_and_the_secret_is_never_shown(fake, admin_client):
    answer = create(admin_client, fake)

    stored = ExternalProvider.objects.get()
    shown = [
        answer,
        admin_client.get(answer["Location"]),
        admin_client.get(PATH),
        Client().get("/auth-ms/auth/providers"),
    ]
    assert [each.status_code for each in shown] == [201, 200, 200, 200]
    assert all(SECRET.encode() not in each.content for each in shown)
    assert SECRET.encode() not in bytes(stored.client_secret_encrypted)
    assert vault.decrypt(bytes(stored.client_secret_encrypted)).decode() == SECRET
    made = answer.json()
    assert (made["trusts_email"], made["counts_as_second_factor"]) == (False, False)
    assert (made["creates_accounts"], made["enabled"]) == (True, True)
    assert made["redirect_uri"].endswith("/auth-ms/oauth/external/fake/callback")
    assert shown[3].json() == {"providers": [{"slug": "fake", "name": "Fake"}]}
    assert AuditEvent.objects.get(event="external_provider_created").actor_id == 1


def test_a_change_without_a_secret_keeps_it(fake, admin_client):
    create(admin_client, fake)

    answers = [change(admin_client, name="Renamed"), change(admin_client, client_secret="another")]

    assert [answer.status_code for answer in answers] == [200, 200]
    stored = ExternalProvider.objects.get()
    assert vault.decrypt(bytes(stored.client_secret_encrypted)) == b"another"
    facts = [event.details["changed"] for event in AuditEvent.objects.filter(event="external_provider_changed")]
    assert facts == [["name"], ["client_secret", "name"]]


def test_slug_and_issuer_stay(fake, admin_client):
    create(admin_client, fake)

    change(admin_client, slug="other", issuer="https://evil.example")

    stored = ExternalProvider.objects.get()
    assert (stored.slug, stored.issuer) == ("fake", fake.issuer)


def test_slugs_and_issuers_are_unique(fake, admin_client):
    create(admin_client, fake)

    same_issuer = create(admin_client, fake, slug="other")
    ExternalProvider.objects.update(issuer="https://elsewhere.example")
    same_slug = create(admin_client, fake)

    assert [same_issuer.status_code, same_slug.status_code] == [409, 409]
    assert ExternalProvider.objects.count() == 1


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("slug", "Google"),
        ("slug", "a--b"),
        ("slug", "a/b"),
        ("slug", ""),
        ("name", "a\nb"),
        ("name", None),
        ("issuer", "ftp://example.org"),
        ("issuer", "x"),
        ("client_id", ""),
        ("client_secret", None),
        ("client_secret", ""),
        ("scopes", ["email"]),
        ("scopes", ["openid", "a b"]),
        ("scopes", "openid"),
        ("trusts_email", "yes"),
        ("enabled", 1),
    ],
)
def test_bad_settings_are_refused(fake, admin_client, member, value):
    answer = create(admin_client, fake, **{member: value})

    assert answer.status_code == 400 and set(answer.json()["errors"]) == {member}
    assert not ExternalProvider.objects.exists()


@pytest.mark.parametrize("kind", ["missing", "another issuer", "broken"])
def test_a_provider_without_a_discovery_document_is_refused(fake, admin_client, kind):
    path = "/.well-known/openid-configuration"
    if kind == "another issuer":
        fake.metadata["issuer"] = "https://evil.example"
    else:
        fake.overrides[path] = (404 if kind == "missing" else 500), {}, b""

    answer = create(admin_client, fake)

    assert answer.status_code == 400 and "Discovery failed" in answer.json()["errors"]["issuer"][0]


def test_a_provider_whose_identities_are_linked_is_disabled_instead_of_deleted(fake, admin_client):
    create(admin_client, fake)
    linked(ExternalProvider.objects.get())

    assert admin_client.delete(f"{PATH}/fake").status_code == 409
    ExternalIdentity.objects.all().delete()
    assert admin_client.delete(f"{PATH}/fake").status_code == 204
    assert not ExternalProvider.objects.exists()
    assert AuditEvent.objects.filter(event="external_provider_deleted").count() == 1


def test_the_secret_goes_in_the_form_where_the_provider_does_not_take_basic(app, browser, fake, provider):
    linked(provider, subject="another")
    fake.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]

    assert sign_in(app, Client(), fake).status_code == 303


def test_secrets_of_providers_are_encrypted_again_with_a_new_secret(provider, settings):
    old = settings.SIGNING_KEY_ENCRYPTION_KEYS[0]
    settings.SIGNING_KEY_ENCRYPTION_KEYS = ["n" * 40, old]
    call_command("reseal")
    settings.SIGNING_KEY_ENCRYPTION_KEYS = ["n" * 40]

    stored = ExternalProvider.objects.get()
    assert vault.decrypt(bytes(stored.client_secret_encrypted)).decode() == SECRET


def test_the_sign_in_page_offers_enabled_providers_only_and_escapes_their_names(app, fake, provider):
    ExternalProvider.objects.create(
        slug="off", name="Off", issuer="https://off.example", client_id="x", client_secret_encrypted=b"x", enabled=False
    )
    ExternalProvider.objects.filter(slug="fake").update(name="<script>")

    page = app.authorize(Client()).content.decode()

    assert "Continue with &lt;script&gt;" in page and "Off" not in page


def test_what_was_never_completed_is_deleted(app, fake, provider, ada):
    browser = Client()
    press(browser, app.authorize(browser))
    unfinished = linked(provider, user_id=None, subject="unfinished")
    kept = linked(provider, subject="kept")

    sign_ins.prune(at=timezone.now())
    assert ExternalSignIn.objects.count() == 1
    sign_ins.prune(at=timezone.now() + timezone.timedelta(days=2))

    assert not ExternalSignIn.objects.exists()
    assert list(ExternalIdentity.objects.all()) == [kept] != [unfinished]


def test_a_sign_in_is_counted_by_provider_and_outcome(app, ada, fake, provider):
    browser = Client()
    url = press(browser, app.authorize(browser))["Location"]
    come_back(browser, fake.response_to(url, error="access_denied"))

    assert b'external_sign_ins_total{outcome="failed",provider="fake"}' in generate_latest(REGISTRY)


def test_a_provider_can_be_changed_and_sent_back_as_it_was_read(fake, admin_client):
    path = create(admin_client, fake)["Location"]

    answer = admin_client.put(path, **as_json(admin_client.get(path).json() | {"name": "Other"}))

    assert answer.status_code == 200, answer.json()
    assert answer.json()["name"] == "Other"
