"""What a process cannot do without is named when it starts."""

import os
import subprocess
import sys

import pytest

from auth.tests.builders import SEALING_PUBLIC_KEY


def start(module, **variables):
    environment = os.environ | {"SEALING_PUBLIC_KEY": SEALING_PUBLIC_KEY} | variables
    return subprocess.run([sys.executable, "-c", f"import {module}"], env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("module", ["auth_ms.wsgi", "auth_ms.celery"])
def test_web_and_worker_start_with_a_key_to_seal_to_and_not_without(module):
    assert start(module).returncode == 0

    for key in ("", "c2hvcnQ", "%%%"):
        refused = start(module, SEALING_PUBLIC_KEY=key)
        assert refused.returncode != 0
        assert "auth-ms cannot start: SEALING_PUBLIC_KEY is not the 32 bytes" in refused.stderr
