"""Checks at startup, instead of at the first event, the settings that a worker requires."""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from chassis.operations.environment import ConfigurationError
from chassis.security import encryption
from notification_ms.deliveries import media


def check(medium: str) -> None:
    """Raises ConfigurationError, which names the variable."""
    if medium == "webhook":
        _check_webhook()
    if medium in ("email", "sms"):
        _check_private_key(medium)
    if medium == "email" and not settings.USERS_URL.startswith(("http://", "https://")):
        raise _error("the medium email needs USERS_URL, a URL that starts with http:// or https://.")


def _check_webhook() -> None:
    if not (settings.WEBHOOK_URL and settings.WEBHOOK_SECRET):
        raise _error("the medium webhook needs WEBHOOK_URL and WEBHOOK_SECRET.")
    if not settings.WEBHOOK_URL.startswith(("http://", "https://")):
        raise _error("WEBHOOK_URL must be a URL that starts with http:// or https://.")
    try:
        media.webhook_key(settings.WEBHOOK_SECRET)
    except ValueError as error:
        raise _error(f"WEBHOOK_SECRET must be whsec_ and 24 to 64 bytes in base64; {error}.") from error


def _check_private_key(medium: str) -> None:
    if not settings.SEALING_PRIVATE_KEY:
        raise _error(f"the medium {medium} needs SEALING_PRIVATE_KEY.")
    try:
        encryption.decrypt_with_private_key("", private_key=settings.SEALING_PRIVATE_KEY, info="")
    except ImproperlyConfigured as error:
        raise _error(str(error)) from error
    except ValueError:
        pass  # a valid key; the empty text is not encrypted


def _error(problem: str) -> ConfigurationError:
    return ConfigurationError(f"notification-ms cannot start: {problem}")
