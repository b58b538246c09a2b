"""A service of the tests' own, to run what the chassis gives to every service."""

from chassis.environment import Environment
from chassis.settings import shared_settings

globals().update(
    shared_settings(
        Environment("example-ms"), import_root="chassis.tests", applications=["chassis.outbox", "chassis.rate_limits"]
    )
)

KEY_SOURCE = "chassis.tokens.PublishedKeys"
AUTH_URL = "http://127.0.0.1:1"
ROOT_URLCONF = "chassis.tests.urls"
