"""Relays and workers share the values of their metrics with the process that is scraped."""

import os
import shutil
import subprocess
import sys

LOADS_SETTINGS_FIRST = """
import os
from django.conf import settings
settings.DEBUG
from prometheus_client import values  # as an application may import it, before anything of chassis.operations.metrics
print(values.ValueClass.__qualname__, os.environ["PROMETHEUS_MULTIPROC_DIR"])
"""


def test_values_are_shared_whatever_an_application_imports_first():
    alone = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    environment = alone | {"METRICS_BIND": "127.0.0.1:1", "DJANGO_SETTINGS_MODULE": "chassis.tests.settings"}
    command = [sys.executable, "-c", LOADS_SETTINGS_FIRST]

    done = subprocess.run(
        command, env=environment | {"PYTHONPATH": os.pathsep.join(sys.path)}, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    kind, folder = done.stdout.split()
    shutil.rmtree(folder)
    assert "MultiProcessValue" in kind
