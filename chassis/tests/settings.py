"""A minimal service, to test what the chassis provides to every service."""

from chassis.operations.environment import Environment
from chassis.operations.settings import shared_settings

globals().update(
    shared_settings(
        Environment("example-ms"),
        import_root="chassis.tests",
        applications=["chassis.outbox", "chassis.security.rate_limits"],
    )
)

KEY_SOURCE = "chassis.security.public_keys.PublishedKeys"
AUTH_URL = "http://127.0.0.1:1"
ROOT_URLCONF = "chassis.tests.urls"
BODY_LIMITS = {"/example-ms/upload": 1024 * 1024}
