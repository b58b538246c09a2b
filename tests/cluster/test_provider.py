"""OpenID Connect with a client that others wrote: at the minikube overlay, and over TLS behind a Gateway.

CLUSTER_TEST_HOST is a name that leads to the Gateways of the cluster's controller from where the tests run.
"""

import contextlib
import os
from pathlib import Path

import pytest
import requests
from cryptography import x509
from requests import certs

from evidence.harness import client_programs
from evidence.harness.certificates import Authority
from evidence.harness.secure_stack import Provider
from evidence.harness.waiting import eventually
from tools.deployment import kubernetes
from tools.deployment.kubernetes import kubectl
from tools.testing import cluster_tests

ISSUER = "http://localhost:30480"  # PUBLIC_URL of the overlay; only for localhost do clients accept one without TLS


@pytest.fixture
def provider(stack, admins_email, account):
    try:
        requests.get(f"{ISSUER}/.well-known/openid-configuration", timeout=10).raise_for_status()
    except requests.ConnectionError:
        pytest.skip(f"the node ports of this cluster are not on localhost, so its issuer {ISSUER} leads nowhere")
    return Provider(stack, ISSUER, Path(certs.where()), admins_email, account)


@pytest.fixture
def provider_over_tls(stack, admins_email, account, tmp_path):
    """The tests' overlay with the component gateway-api and a certificate for the host."""
    if not (host := os.environ.get("CLUSTER_TEST_HOST")):
        pytest.skip("CLUSTER_TEST_HOST names no host that leads to a Gateway of this cluster")
    found = kubectl("get", "gatewayclasses", "--output=jsonpath={.items[*].metadata.name}", check=False)
    if not (classes := found.stdout.split()):
        pytest.skip("this cluster has no Gateway class, so no controller of the Gateway API")
    issuer, authority = f"https://{host}", Authority(tmp_path)
    certificate = authority.certificate(x509.DNSName(host))

    def answers():
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(f"{issuer}/.well-known/openid-configuration", verify=authority.file, timeout=10).ok
        return False

    try:
        kubectl("create", "secret", "tls", "tessera-tls", f"--cert={certificate}", f"--key={certificate}")
        kubernetes.apply(overlay(classes[0], host))
        eventually(answers, seconds=60)
        yield Provider(stack, issuer, authority.file, admins_email, account)
    finally:
        made = ["gateway/tessera", "httproute/tessera", "httproute/tessera-redirect", "secret/tessera-tls"]
        kubectl("delete", *made, "--ignore-not-found")
        kubernetes.apply(cluster_tests.DIRECTORY / "overlay")


def overlay(gateway_class, host):
    """The folder of the tests' overlay behind a Gateway."""
    issuer = f"https://{host}"
    folder = cluster_tests.DIRECTORY / "gateway"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kustomization.yaml").write_text(
        f"""apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: tessera
resources: [../overlay]
components: [../../../kustomize/components/gateway-api]
configMapGenerator:
  - {{name: auth-ms-config, behavior: merge, literals: ["PUBLIC_URL={issuer}", "WEBAUTHN_ORIGINS={issuer}"]}}
patches:
  - target: {{kind: Gateway}}
    patch: |
      - {{op: replace, path: /spec/gatewayClassName, value: {gateway_class}}}
  - target: {{kind: HTTPRoute}}
    patch: |
      - {{op: replace, path: /spec/hostnames, value: [{host}]}}
"""
    )
    return folder


def test_authlib_signs_in_refreshes_and_logs_out(provider):
    client_programs.signs_in_and_out(provider)


def test_authlib_signs_in_refreshes_and_logs_out_behind_a_gateway_with_tls(provider_over_tls):
    client_programs.signs_in_and_out(provider_over_tls)
