"""Every variable that notification-ms reads, with its default and meaning."""

from chassis.operations.environment import Environment
from chassis.operations.settings import shared_settings

environment = Environment("notification-ms")

globals().update(
    shared_settings(
        environment,
        import_root="notification_ms",
        applications=["django.contrib.postgres", "notification_ms.deliveries", "notification_ms.webhooks"],
    )
)

KEY_SOURCE = "chassis.security.public_keys.PublishedKeys"
AUTH_URL = environment.url("AUTH_URL", "auth-ms, such as http://auth-ms:4000", schemes=["http", "https"])

globals().update(environment.email("EMAIL_URL", "the mail server, smtp://user:password@host:587 (also smtp+tls://)"))
EMAIL_TIMEOUT = environment.integer(
    "EMAIL_TIMEOUT", "seconds to wait for the mail server", default=10, minimum=1, maximum=60
)
DEFAULT_FROM_EMAIL = environment.text(
    "EMAIL_FROM", "the sender of emails", default="Tessera <no-reply@tessera.example>"
)
SMS_URL = environment.text(
    "SMS_URL",
    "the Apprise URL that sends a text message, with {phone} where the number belongs: twilio://sid:token@from/{phone}",
)
PASSWORD_RESET_URL = environment.text(
    "PASSWORD_RESET_URL",
    "the page of your product that sets a new password, with {token} where the mailed token belongs",
    default="",
)
EMAIL_VERIFICATION_URL = environment.text(
    "EMAIL_VERIFICATION_URL",
    "the page of your product that verifies an address, with {token} where the mailed token belongs",
    default="",
)
EMAIL_CHANGE_UNDO_URL = environment.text(
    "EMAIL_CHANGE_UNDO_URL",
    "the page of your product that undoes a change of address, with {token} where the mailed token belongs",
    default="",
)
EMAIL_SIGN_IN_URL = environment.text(
    "EMAIL_SIGN_IN_URL",
    "the page that takes the code of a sign-in by email, with {code} where it belongs, best after #:"
    " https://accounts.example.org/auth-ms/oauth/email#{code}",
    default="",
)
INVITATION_URL = environment.text(
    "INVITATION_URL",
    "the page of your product that accepts an invitation, with {token} where the mailed token belongs",
    default="",
)
SEALING_PRIVATE_KEY = environment.text(
    "SEALING_PRIVATE_KEY",
    "decrypts the tokens and codes that auth-ms and users-ms encrypt with SEALING_PUBLIC_KEY; for the email and SMS"
    " workers",
    default="",
)
USERS_URL = environment.text(
    "USERS_URL",
    "users-ms, such as http://users-ms:4000, which confirms a deletion before a user is erased; for the email worker",
    default="",
)
LOGIN_NOTICES = environment.choice(
    "LOGIN_NOTICES",
    "of which sign-ins users are told: new_devices, from a new device or network, unless a user prefers all; or all",
    choices=["new_devices", "all"],
    default="new_devices",
)
NOTICES_OF_A_KIND = environment.integer(
    "NOTICES_OF_A_KIND",
    "notifications of one kind per recipient in NOTICE_WINDOW_SECONDS; further ones are counted in one digest",
    default=5,
    minimum=1,
)
NOTICE_WINDOW_SECONDS = environment.integer(
    "NOTICE_WINDOW_SECONDS", "the window of NOTICES_OF_A_KIND, after which a digest is sent", default=3600, minimum=2
)
PRIVATE_WEBHOOK_NETWORKS = environment.networks(
    "PRIVATE_WEBHOOK_NETWORKS",
    "private networks in which webhooks may be sent, by http too, such as 10.0.0.0/8; comma-separated",
)
WEBHOOK_NOTICE_EMAILS = environment.addresses(
    "WEBHOOK_NOTICE_EMAILS",
    "addresses that get an email when a webhook is disabled because it accepts nothing; comma-separated",
)
SESSION_URL = environment.text(
    "SESSION_URL", "the page of your product that ends a session, with {session_id} where its id belongs", default=""
)
NOTIFICATION_RETENTION_DAYS = environment.integer(
    "NOTIFICATION_RETENTION_DAYS", "how long the delivery log is kept", default=365, minimum=1
)
COLLECTORS = [
    "notification_ms.deliveries.metrics.DeliveryCollector",
    "notification_ms.webhooks.metrics.EndpointCollector",
]
PRUNERS = ["notification_ms.deliveries.services.prune", "notification_ms.webhooks.services.events.prune"]
# Tables that the service's role may only insert into and read, so that an attacker cannot cover their tracks.
APPEND_ONLY_TABLES = ["webhooks_endpointchange"]
SPECTACULAR_SETTINGS["ENUM_NAME_OVERRIDES"] = {  # noqa: F821
    "NotificationStatusEnum": "notification_ms.deliveries.models.Delivery.Status",
    "WebhookDeliveryStatusEnum": "notification_ms.webhooks.models.Delivery.Status",
}
QUEUE_TYPE = environment.choice(
    "QUEUE_TYPE", "quorum for a broker with three nodes", choices=["classic", "quorum"], default="classic"
)
DELIVERY_ATTEMPTS = environment.integer(
    "DELIVERY_ATTEMPTS", "attempts before a delivery is dead-lettered", default=12, minimum=1
)
SEND_DELAY_SECONDS = environment.number("SEND_DELAY_SECONDS", "delays every delivery, for experiments", default=0.0)

# Apprise logs telephone numbers and provider URLs with tokens in its warnings.
LOGGING["loggers"]["apprise"] = {"level": "CRITICAL"}  # noqa: F821 - one of the shared settings
