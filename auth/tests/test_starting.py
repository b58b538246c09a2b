"""Missing configuration is named at startup."""

import os
import subprocess
import sys

import pytest

from auth.tests.builders import SEALING_PUBLIC_KEY


def start(module, **variables):
    environment = os.environ | {"SEALING_PUBLIC_KEY": SEALING_PUBLIC_KEY} | variables
    return subprocess.run([sys.executable, "-c", f"import {module}"], env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("module", ["auth_ms.wsgi", "auth_ms.celery"])
def test_web_and_worker_start_with_a_key_to_encrypt_for_notification_ms(module):
    assert start(module).returncode == 0


@pytest.mark.parametrize(
    ("module", "key"),
    [("auth_ms.wsgi", ""), ("auth_ms.celery", ""), ("auth_ms.celery", "c2hvcnQ"), ("auth_ms.celery", "%%%")],
)
def test_web_and_worker_do_not_start_without_such_a_key(module, key):
    rejected = start(module, SEALING_PUBLIC_KEY=key)

    assert rejected.returncode != 0
    assert "auth-ms cannot start: SEALING_PUBLIC_KEY is not the 32 bytes" in rejected.stderr


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("FACTORS", "totp,sms", "FACTORS must be of totp, passkeys, recovery_codes, it has 'sms'"),
        ("EMAIL_VERIFICATION_REQUIRED", "always", "EMAIL_VERIFICATION_REQUIRED is not a valid value"),
        ("SESSION_SECONDS", "0", "SESSION_SECONDS must be between"),
        ("OFFLINE_SESSION_SECONDS", "0", "OFFLINE_SESSION_SECONDS must be between"),
    ],
)
def test_a_policy_that_is_unknown_is_named(name, value, reason):
    rejected = start("auth_ms.wsgi", **{name: value})

    assert rejected.returncode != 0
    assert reason in rejected.stderr
