"""Servers that others wrote take tokens of this provider: RabbitMQ an access token, Kubernetes an ID token."""

import json
import os
import shlex
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import replace

import amqp
import kombu
import pytest
import requests
from cryptography import x509

from evidence.harness import client_packages
from evidence.harness.certificates import Authority
from evidence.harness.secure_stack import CALLBACK
from evidence.harness.waiting import eventually
from local import ports, programs
from local.layout import Layout, Program
from local.running_program import running_program

BROKER, OTHER = "urn:example:rabbitmq", "https://api.orders.example.org"


@pytest.fixture
def broker_port(secure, tmp_path):
    """The port of a RabbitMQ node with the plugin rabbitmq_auth_backend_oauth2."""
    layout = Layout(tmp_path, ports.free(), {})
    home = tmp_path / "rabbitmq"
    for folder in (home, tmp_path / "logs"):
        folder.mkdir()
    known = {
        "PORT": layout.ports["RABBITMQ_PORT"],
        "RESOURCE": BROKER,
        "ISSUER": secure.issuer,
        "AUTHORITY": secure.authority,
    }
    text = (client_packages.PROGRAMS / "rabbitmq.conf").read_text()
    (home / "rabbitmq.conf").write_text(text.format(**known))
    (home / "enabled_plugins").write_text("[rabbitmq_auth_backend_oauth2].\n")
    epmd, rabbitmq = programs.broker(layout)
    port = layout.ports["RABBITMQ_PORT"]
    with running_program(layout, epmd), running_program(layout, rabbitmq, ready=lambda: ports.is_taken(port)):
        yield port


def token_for(secure, client, resource, scope):
    form = {"grant_type": "client_credentials", "resource": resource, "scope": scope}
    answer = secure.post("token_endpoint", form, auth=(client["client_id"], client["client_secret"]))
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


def connection(port, token):
    return kombu.Connection("amqp://127.0.0.1", port=port, userid="", password=token, connect_timeout=30)


def test_rabbitmqs_oauth_2_plugin(secure, broker_port):
    rights = [f"{BROKER}.{right}:*/orders*" for right in ("configure", "read", "write")]
    client = secure.register(
        "Order worker", grant_types=["client_credentials"], scopes=rights, resources=[BROKER, OTHER]
    )
    token = token_for(secure, client, BROKER, " ".join(rights))

    with connection(broker_port, token) as connected:
        exchange = kombu.Exchange("orders", type="fanout")
        queue = kombu.Queue("orders", exchange, channel=connected)
        queue.declare()
        kombu.Producer(connected, exchange).publish({"order": 1})
        assert eventually(queue.get).payload == {"order": 1}
        with pytest.raises(amqp.AccessRefused):
            kombu.Queue("invoices", channel=connected.channel()).declare()
    reading_only = token_for(secure, client, BROKER, rights[1])
    with connection(broker_port, reading_only) as connected, pytest.raises(amqp.AccessRefused):
        kombu.Queue("orders-2", channel=connected).declare()
    of_account_api = secure.stack.token_of(secure.admin)
    for rejected in (token_for(secure, client, OTHER, rights[0]), token[:-8] + token[-8:][::-1], of_account_api):
        with pytest.raises(amqp.AccessRefused), connection(broker_port, rejected) as connected:
            connected.connect()
    print("RabbitMQ's OAuth 2 plugin: rights from scopes; rejects another audience, a changed token, an admin's token")


def command_of(variable, program):
    """The command in an environment variable, or the program on PATH; skips the test when there is neither."""
    found = shlex.split(os.environ.get(variable, "")) or ([program] if shutil.which(program) else [])
    if not found:
        pytest.skip(f"{program} is not installed, and {variable} does not say how to start it")
    return found


def written_authentication(secure, client, folder):
    """The file of the API server's structured authentication."""
    certificate = secure.authority.read_text().strip().replace("\n", "\n        ")
    known = {"ISSUER": secure.issuer, "AUTHORITY": certificate, "CLIENT_ID": client["client_id"]}
    text = (client_packages.PROGRAMS / "authentication.yaml").read_text()
    for name, value in known.items():
        text = text.replace(f"{{{name}}}", value)
    file = folder / "authentication.yaml"
    file.write_text(text)
    return file


@contextmanager
def api_server(secure, client, folder):
    """Runs a Kubernetes API server that takes ID tokens of `client`; yields kubectl's arguments for it."""
    etcd, server = command_of("ETCD", "etcd"), command_of("KUBE_APISERVER", "kube-apiserver")
    kubectl = command_of("KUBECTL", "kubectl")
    numbers = ports.free("ETCD_PORT", "PEER_PORT", "API_PORT")
    store, peer = (f"http://127.0.0.1:{numbers[name]}" for name in ("ETCD_PORT", "PEER_PORT"))
    authority = Authority(folder)
    certificate = authority.certificate(x509.DNSName("localhost"))
    etcd += ["--data-dir=etcd", f"--listen-client-urls={store}", f"--advertise-client-urls={store}"]
    etcd += [f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}"]
    server += [f"--authentication-config={written_authentication(secure, client, folder)}", f"--etcd-servers={store}"]
    server += [
        "--bind-address=127.0.0.1",
        f"--secure-port={numbers['API_PORT']}",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.0.0.0/24",
    ]
    server += [f"--tls-cert-file={certificate}", f"--tls-private-key-file={certificate}"]
    server += ["--service-account-issuer=https://kubernetes.example.org", f"--service-account-key-file={certificate}"]
    server += [f"--service-account-signing-key-file={certificate}"]
    address = f"https://localhost:{numbers['API_PORT']}"

    def is_ready():
        try:
            return requests.get(f"{address}/livez", verify=authority.file, timeout=5).ok
        except requests.RequestException:
            return False

    keeper = Program(name="etcd", command=etcd, directory=folder, port=numbers["ETCD_PORT"])
    program = Program(name="kube-apiserver", command=server, directory=folder)
    with running_program(secure.layout, keeper), running_program(secure.layout, program, ready=is_ready):
        yield [*kubectl, f"--server={address}", f"--certificate-authority={authority.file}", "--kubeconfig=/dev/null"]


def test_kubernetes_structured_authentication(secure, tmp_path):
    user, admins_token = secure.stack.verified_user(), secure.stack.token_of(secure.admin)
    changed = secure.stack.call("PATCH", f"/users-ms/users/{user['id']}", {"scopes": ["deployers"]}, token=admins_token)
    assert changed.status_code == 200, changed.text
    scopes = ["openid", "email", "roles"]
    client = secure.register("Cluster", redirect_uris=[CALLBACK], scopes=scopes, first_party=True)
    code = replace(secure, user=user).came_back(client, scope=" ".join(scopes))["code"]
    tokens = secure.redeem(client, code=code).json()

    with api_server(secure, client, tmp_path) as kubectl:

        def whoami(token):
            command = [*kubectl, f"--token={token}", "auth", "whoami", "--output=json"]
            return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)

        known = whoami(tokens["id_token"])
        assert known.returncode == 0, known.stderr
        told = json.loads(known.stdout)["status"]["userInfo"]
        assert told["username"] == f"tessera:{user['email']}"
        assert set(told["groups"]) == {"tessera:deployers", "system:authenticated"}
        for rejected in (tokens["access_token"], admins_token, tokens["id_token"][:-8] + "AAAAAAAA"):
            assert "Unauthorized" in whoami(rejected).stderr
    print(f"Kubernetes: kubectl auth whoami is {told['username']}, {told['groups']}; rejects an access token")
