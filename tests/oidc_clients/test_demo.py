"""`make demo-oidc` on the stack with TLS."""

import os
import subprocess

from evidence.harness import client_packages


def test_the_demo_signs_in_refreshes_calls_an_api_and_learns_of_the_logout(secure):
    client_packages.python()  # before only the stack's own authority is trusted, also by pip
    trust = os.environ | {"REQUESTS_CA_BUNDLE": str(secure.authority)}

    done = secure.stack.command("demo-oidc", env=trust, stdout=subprocess.PIPE)

    for line in (
        "The page https://localhost",
        '"orders": [{"id": 1',
        '"new_access_token": true',
        '"ended_elsewhere": true',
        "Done.",
    ):
        assert line in done.stdout, done.stdout
    print(done.stdout)
