"""A sign-up and its email over TLS only: PostgreSQL with verify-full, RabbitMQ with amqps, and a test CA.

Starts only what this needs: users-ms with its relay, a worker, two databases, the broker and the mail catcher.
"""

import re
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
import requests
from cryptography import x509

from evidence.harness.certificates import Authority
from evidence.harness.waiting import eventually
from installation import secret_values
from local import ports, programs, readiness, servers
from local import stack as stacks
from local.layout import Layout
from local.supervisor import Supervisor, configuration

SERVICES = ("users", "notification")


class Secured(Layout):
    """A stack whose processes connect over TLS to `localhost`, the name in the servers' certificate."""

    def _database_url(self, service, role, password):
        url = super()._database_url(service, role, password).replace("127.0.0.1", "localhost")
        return f"{url}?sslmode=verify-full&sslrootcert={self.directory / 'one' / 'ca.pem'}"

    def broker_url_of(self, user):
        port = self.ports["RABBITMQ_TLS_PORT"]
        return (
            super()
            .broker_url_of(user)
            .replace("amqp://", "amqps://")
            .replace(f"127.0.0.1:{self.ports['RABBITMQ_PORT']}", f"localhost:{port}")
        )


@pytest.fixture(scope="module")
def layout(stack, tmp_path_factory):
    if stacks.running(Path(stack.directory)) is None:
        pytest.skip("this test needs a stack of local processes")
    directory = tmp_path_factory.mktemp("tls")
    for name in ("one", "other"):
        (directory / name).mkdir()
    authority = Authority(directory / "one")
    Authority(directory / "other")
    certificate = authority.certificate(x509.DNSName("localhost"))
    secrets = secret_values.ensure(directory / ".env")
    numbers = ports.free("RABBITMQ_TLS_PORT")
    variables = {"SSL_CERT_FILE": str(authority.file), "ABSENT_QUEUES": "new_user_email_verification"}  # of auth-ms
    layout = Secured(directory, numbers, secrets, variables)
    try:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("SSL_CERT_FILE", str(authority.file))  # for the readiness check of the broker
            start(layout, certificate)
        yield layout
    finally:
        stacks.down(directory)
        shutil.rmtree(directory)


def start(layout, certificate):
    stacks._prepare(layout, SERVICES)
    for service in SERVICES:
        secure_database(layout.directory / f"{service}-db", certificate)
    secure_broker(layout, certificate)
    databases = [programs.database(layout, service) for service in SERVICES]
    infrastructure = [*databases, *programs.broker(layout), programs.mail_catcher(layout)]
    applications = [
        programs.web(layout, "users"),
        programs.relay(layout, "users"),
        programs.notification_worker(layout, "email", {}),
    ]
    Supervisor(layout).launch(configuration(layout, [*infrastructure, *applications], "TLS"))
    stacks._start_servers(layout, infrastructure)
    for service in SERVICES:
        servers.ensure_role(layout, service)
        stacks.migrate(layout, service)
    for program in applications:
        Supervisor(layout).start(program.name)
    for program in applications:
        readiness.wait(layout, program)


def secure_database(folder, certificate):
    """Configure PostgreSQL to reject connections without TLS."""
    own = Path(shutil.copy(certificate, folder / "server.pem"))
    own.chmod(0o600)
    shutil.chown(own, folder.owner(), folder.group())
    with (folder / "postgresql.conf").open("a") as settings:
        settings.write("ssl = on\nssl_cert_file = 'server.pem'\nssl_key_file = 'server.pem'\n")
    rules = folder / "pg_hba.conf"
    rules.write_text(re.sub(r"^host\b", "hostssl", rules.read_text(), flags=re.MULTILINE))


def secure_broker(layout, certificate):
    """Configure RabbitMQ to listen with TLS only."""
    file = layout.directory / "rabbitmq" / "rabbitmq.conf"
    lines = [line for line in file.read_text().splitlines() if not line.startswith("listeners.tcp")]
    lines += [
        "listeners.tcp = none",
        f"listeners.ssl.local = 127.0.0.1:{layout.ports['RABBITMQ_TLS_PORT']}",
        f"ssl_options.cacertfile = {layout.directory / 'one' / 'ca.pem'}",
        f"ssl_options.certfile = {certificate}",
        f"ssl_options.keyfile = {certificate}",
    ]
    file.write_text("\n".join(lines) + "\n")


def sign_up(layout):
    email = f"tls.{time.time_ns()}@example.org"
    body = {"name": "Ada", "surname": "Lovelace", "email": email, "password": "correct horse battery"}
    return email, requests.post(f"{layout.url('USERS_PORT')}/users-ms/users", json=body, timeout=60)


def test_a_new_account_is_emailed_over_tls_only(layout):
    """Uses an admin account: other users are emailed only after verification by auth-ms, which does not run here."""
    _, answer = sign_up(layout)
    assert answer.status_code == 201, answer.text
    email, password = f"root.{time.time_ns()}@example.org", {"ADMIN_PASSWORD": "correct horse battery"}
    stacks.manage(layout, "users", "create_admin", f"--email={email}", variables=password, check=True)

    def mails():
        query = {"query": f"to:{email}"}
        return requests.get(f"{layout.url('MAIL_PORT')}/api/v1/search", query, timeout=60).json()["messages"]

    assert "Welcome" in eventually(mails)[0]["Subject"]
    connection = psycopg2.connect(layout.database_url("users"))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), count(*) FILTER (WHERE ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
            " WHERE usename = 'users_service'"
        )
        every, over_tls = cursor.fetchone()
    connection.close()
    assert every == over_tls >= 3  # the web process, the relay, and this query


def test_connections_without_tls_are_rejected(layout):
    plain = layout.database_url("users").partition("?")[0]

    with pytest.raises(psycopg2.OperationalError, match="no encryption"):
        psycopg2.connect(f"{plain}?sslmode=disable")
    assert not ports.is_taken(layout.ports["RABBITMQ_PORT"])


@contextmanager
def log_of(program, variables):
    """Runs a second `program` with other variables; yields a function that reads its log."""
    own = program.environment | variables | {"HEARTBEAT_FILE": "/dev/null", "METRICS_BIND": ""}
    log = Path(variables["LOG"])
    with log.open("w") as output:
        process = subprocess.Popen(
            program.command, cwd=program.directory, env=own, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield log.read_text
    finally:
        process.terminate()
        process.wait(timeout=60)


@pytest.mark.parametrize(
    ("kind", "setting"), [("relay", "SSL_CERT_FILE"), ("relay", "DATABASE_URL"), ("worker", "SSL_CERT_FILE")]
)
def test_a_process_with_another_ca_names_the_wrong_setting(layout, tmp_path, kind, setting):
    relay, worker = programs.relay(layout, "users"), programs.notification_worker(layout, "email", {}, name="w")
    program = relay if kind == "relay" else worker
    other = str(layout.directory / "other" / "ca.pem")
    right = program.environment[setting]
    wrong = other if setting == "SSL_CERT_FILE" else right.replace(str(layout.directory / "one" / "ca.pem"), other)
    assert wrong != right

    with log_of(program, {setting: wrong, "LOG": str(tmp_path / "log")}) as log:
        eventually(lambda: setting in log())
        assert "certificate is rejected" in log()
        assert "connected to the broker" not in log() and " ready." not in log()
        assert urlsplit(program.environment.get("BROKER_URL")).password not in log()


def test_a_migration_with_another_ca_names_the_wrong_setting(layout):
    owner = layout.database_owner_url("users").replace("/one/ca.pem", "/other/ca.pem")

    done = stacks.manage(
        layout, "users", "prepare_database", variables={"DATABASE_OWNER_URL": owner}, capture_output=True
    )

    assert done.returncode != 0
    assert "certificate is rejected" in done.stderr and "DATABASE_OWNER_URL" in done.stderr
