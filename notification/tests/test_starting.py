"""A missing setting of a worker is named at startup."""

import os
import subprocess
import sys

import pytest

from notification.tests.builders import PRIVATE_KEY

GOOD = {
    "USERS_URL": "http://127.0.0.1:1",
    "SEALING_PRIVATE_KEY": PRIVATE_KEY,
}


def start(medium, **variables):
    environment = os.environ | GOOD | {"NOTIFICATION_MEDIUM": medium} | variables
    return subprocess.run(
        [sys.executable, "-c", "import notification_ms.celery"], env=environment, capture_output=True, text=True
    )


@pytest.mark.parametrize("medium", ["email", "sms"])
def test_a_worker_starts_with_its_settings(medium):
    started = start(medium)

    assert (started.returncode, started.stderr) == (0, "")


def test_a_worker_starts_without_settings_of_other_workers():
    assert start("sms", USERS_URL="").returncode == 0


@pytest.mark.parametrize(
    ("medium", "name", "value", "reason"),
    [
        ("email", "SEALING_PRIVATE_KEY", "", "the medium email needs SEALING_PRIVATE_KEY"),
        ("sms", "SEALING_PRIVATE_KEY", "", "the medium sms needs SEALING_PRIVATE_KEY"),
        ("email", "SEALING_PRIVATE_KEY", "c2hvcnQ", "SEALING_PRIVATE_KEY is not the 32 bytes"),
        ("email", "SEALING_PRIVATE_KEY", "%%%", "SEALING_PRIVATE_KEY is not the 32 bytes"),
        ("email", "USERS_URL", "", "the medium email needs USERS_URL"),
        ("email", "USERS_URL", "users-ms:4000", "the medium email needs USERS_URL"),
    ],
)
def test_a_worker_with_a_missing_setting_names_it_and_does_not_start(medium, name, value, reason):
    started = start(medium, **{name: value})

    assert started.returncode == 1
    assert reason in started.stderr
    assert "Traceback" not in started.stderr
    assert not value or value not in started.stderr


def test_an_unknown_policy_is_named():
    started = start("email", LOGIN_NOTICES="none")

    assert started.returncode == 1
    assert "LOGIN_NOTICES must be one of new_devices, all, it is 'none'" in started.stderr
