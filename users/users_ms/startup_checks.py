"""Checks at startup, instead of at the first invitation, the configuration of web processes."""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from chassis.operations.environment import ConfigurationError
from chassis.security import encryption


def check() -> None:
    """Raises ConfigurationError, which names the variable. The relay publishes encrypted events and needs no key."""
    try:
        encryption.encrypt_with_public_key("", public_key=settings.SEALING_PUBLIC_KEY, info="")
    except ImproperlyConfigured as error:
        raise ConfigurationError(f"users-ms cannot start: {error}") from error
