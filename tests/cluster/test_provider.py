"""OpenID Connect with a client that others wrote, through the gateway of the minikube overlay."""

from pathlib import Path

import pytest
import requests
from requests import certs

from evidence.harness import client_programs
from evidence.harness.secure_stack import Provider

ISSUER = "http://localhost:30480"  # PUBLIC_URL of the overlay; only for localhost do clients accept one without TLS


@pytest.fixture
def provider(stack, admins_email, account):
    try:
        requests.get(f"{ISSUER}/.well-known/openid-configuration", timeout=10).raise_for_status()
    except requests.ConnectionError:
        pytest.skip(f"the node ports of this cluster are not on localhost, so its issuer {ISSUER} leads nowhere")
    return Provider(stack, ISSUER, Path(certs.where()), admins_email, account)


def test_authlib_signs_in_refreshes_and_logs_out(provider):
    client_programs.signs_in_and_out(provider)
