"""Checks at startup, instead of at the first event, the settings that a worker requires."""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from chassis.operations.environment import ConfigurationError
from chassis.security import encryption


def check(medium: str) -> None:
    """Raises ConfigurationError, which names the variable."""
    if medium in ("email", "sms"):
        _check_private_key(medium)
    if medium == "email" and not settings.USERS_URL.startswith(("http://", "https://")):
        raise _error("the medium email needs USERS_URL, a URL that starts with http:// or https://.")


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
