"""Every process of the stack: its command, environment variables, and readiness check."""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from installation import broker_rights
from installation.service_catalog import RELAYS, SERVICES
from local import installed_servers
from local.layout import Layout, Program
from local.paths import ROOT

NODE_HOST = "localhost"
# PostgreSQL logs the error without the statement and its values, which include personal data and password hashes.
QUIET_LOG = {
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length_on_error": "0",
    "log_statement": "none",
}


def database(layout: Layout, service: str) -> Program:
    """A private PostgreSQL cluster that listens on TCP only."""
    port, data = layout.ports[f"{service.upper()}_DB_PORT"], layout.directory / f"{service}-db"
    server = [f"{installed_servers.postgresql_binaries(data)}/postgres", "-D", str(data)]
    settings = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": 200}
    settings |= QUIET_LOG
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return Program(
        name=f"{service}-db",
        command=[*as_postgres(layout.directory), *server, *options],
        port=port,
        stop_signal="INT",  # fast shutdown: ends sessions, keeps committed data
    )


@cache
def as_postgres(directory: Path) -> list[str]:
    """The prefix for PostgreSQL commands, which do not run as root: root runs them as the user `postgres`.

    When only root may enter a folder above `directory`, the command keeps one capability that allows it (the second is
    for containers, which rarely have the first). Exits when neither works.
    """
    if os.geteuid() != 0:
        return []
    setpriv = [shutil.which("setpriv") or "/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    for capability in ("", "dac_read_search", "dac_override"):
        kept = [f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}"] if capability else []
        enters = subprocess.run([*setpriv, *kept, "ls", str(directory)], cwd="/", capture_output=True)
        if enters.returncode == 0:
            return [*setpriv, *kept]
    sys.exit(f"The user postgres cannot enter {directory}: run chmod o+x on the closed folder above it.")


def broker(layout: Layout) -> list[Program]:
    """A private RabbitMQ node and its port mapper (epmd)."""
    home, ports = layout.directory / "rabbitmq", layout.ports
    environment = {
        "HOME": str(home),
        "ERL_EPMD_PORT": str(ports["EPMD_PORT"]),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"tessera-{ports['RABBITMQ_PORT']}@{NODE_HOST}",
        "RABBITMQ_DIST_PORT": str(ports["RABBITMQ_DISTRIBUTION_PORT"]),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_PID_FILE": str(home / "pid"),
        "RABBITMQ_LOGS": "-",
        # Disables busy waiting of scheduler threads, which takes CPU time from other processes on small machines.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none"
        " -kernel inet_dist_use_interface {127,0,0,1}",
    }
    return [
        Program(
            name="epmd",
            command=[
                str(installed_servers.epmd()),
                "-port",
                str(ports["EPMD_PORT"]),
                "-address",
                "127.0.0.1",
                "-relaxed_command_check",
            ],
            environment={"HOME": str(home)},
            port=ports["EPMD_PORT"],
        ),
        Program(
            name="rabbitmq",
            command=[str(installed_servers.rabbitmq_server())],
            directory=home,  # where it writes a crash dump when it cannot start
            environment=environment,
            port=ports["RABBITMQ_PORT"],
        ),
    ]


def mail_catcher(layout: Layout) -> Program:
    """The mail server for development."""
    ports = layout.ports
    arguments = [str(layout.directory / "mail"), str(ports["SMTP_PORT"]), str(ports["MAIL_PORT"])]
    return Program(
        name="mail-catcher",
        command=[sys.executable, "-m", "local.mail_catcher", *arguments],
        port=ports["MAIL_PORT"],
        url=f"{layout.url('MAIL_PORT')}/api/v1/messages?limit=1",
    )


def service_environment(layout: Layout, service: str) -> dict[str, str]:
    """The environment variables of every process of a service, without the broker's URL."""
    exporter = {name: value for name, value in os.environ.items() if name.startswith("OTEL_")}
    common = exporter | {
        "DJANGO_SETTINGS_MODULE": f"{service}_ms.settings",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / service)]),
        "PYTHONUNBUFFERED": "1",
        "LOG_FORMAT": "text",
        "SECRET_KEY": layout.secrets[f"{service.upper()}_SECRET_KEY"],
        "DATABASE_URL": layout.database_url(service),
        "TRUSTED_PROXIES": "127.0.0.1",  # the gateway, on this machine
    }
    smtp_port = layout.ports["SMTP_PORT"]
    own = {
        "users": {"LOAD_TEST_ENABLED": "true", "SEALING_PUBLIC_KEY": layout.secrets["SEALING_PUBLIC_KEY"]},
        "auth": {
            "USERS_URL": layout.url("USERS_PORT"),
            "PUBLIC_URL": f"http://localhost:{layout.ports['GATEWAY_PORT']}",
            "WEBAUTHN_ORIGINS": f"http://localhost:{layout.ports['GATEWAY_PORT']}",
            "PRIVATE_CLIENT_NETWORKS": "127.0.0.0/8,::1/128",  # applications that are developed on this machine
            "SIGNING_KEY_ENCRYPTION_KEY": layout.secrets["SIGNING_KEY_ENCRYPTION_KEY"],
            "SEALING_PUBLIC_KEY": layout.secrets["SEALING_PUBLIC_KEY"],
        },
        "notification": {
            "PRIVATE_WEBHOOK_NETWORKS": "127.0.0.0/8,::1/128",
            "EMAIL_URL": f"smtp://127.0.0.1:{smtp_port}",
            # Text messages go to the mail catcher too, so no account with a provider is needed.
            "SMS_URL": f"mailto://127.0.0.1:{smtp_port}/?mode=insecure&from=sms@tessera.example"
            "&to=sms{phone}@tessera.example",
            **console_links(f"http://localhost:{layout.ports['GATEWAY_PORT']}"),
        },
    }
    # auth-ms publishes the token keys, and reports whether a token's session and account are active.
    asked = {} if service == "auth" else {"AUTH_URL": layout.url("AUTH_PORT")}
    return common | asked | own.get(service, {}) | layout.variables


def console_links(console: str) -> dict[str, str]:
    """The links in emails. Browsers send nothing after `#` to a server, so tokens never reach a log."""
    return {
        "PASSWORD_RESET_URL": f"{console}/#/password/reset/{{token}}",
        "EMAIL_VERIFICATION_URL": f"{console}/#/verify/{{token}}",
        "EMAIL_CHANGE_UNDO_URL": f"{console}/#/email/undo/{{token}}",
        "EMAIL_SIGN_IN_URL": f"{console}/auth-ms/oauth/email#{{code}}",
        "INVITATION_URL": f"{console}/#/invitation/{{token}}",
        "SESSION_URL": f"{console}/#/sessions/{{session_id}}",
    }


def web(layout: Layout, service: str) -> Program:
    """The web process of a service."""
    prefix, port = SERVICES[service], layout.ports[f"{service.upper()}_PORT"]
    # A web process has a broker user only if it serves dead letters.
    connection = {"BROKER_URL": layout.broker_url_of(prefix)} if prefix in broker_rights.names() else {}
    own = {"BIND": f"127.0.0.1:{port}", "SERVICE": prefix}
    return Program(
        name=prefix,
        command=[sys.executable, "-m", "gunicorn", "--config", "python:chassis.operations.gunicorn"],
        directory=ROOT / service,
        environment=service_environment(layout, service) | connection | own,
        port=port,
        url=f"http://127.0.0.1:{port}/{prefix}/ready",
    )


def relay(layout: Layout, service: str) -> Program:
    """The outbox relay of a service."""
    command = [sys.executable, "manage.py", "relay_outbox"]
    name = f"{service}-outbox-relay"
    return _background(layout, service, name, command, {"BROKER_URL": layout.broker_url_of(name)})


def worker(layout: Layout, service: str, name: str, variables: dict[str, str], *, user: str | None = None) -> Program:
    """A Celery worker of a service, which connects to the broker as `user`, by default the worker's own name."""
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    command = [sys.executable, "-m", "celery", "--app", f"{service}_ms", "worker", "--loglevel", "info", *quiet]
    connection = {"BROKER_URL": layout.broker_url_of(user or name)}
    return _background(layout, service, name, [*command, "--concurrency", "1"], connection | variables)


def notification_worker(layout: Layout, channel: str, variables: dict[str, str], *, name: str | None = None) -> Program:
    """The worker of a channel. Workers that send tokens and codes get the key to decrypt them."""
    user = f"notification-{channel}-worker"
    decrypting = {"SEALING_PRIVATE_KEY": layout.secrets["SEALING_PRIVATE_KEY"]} if channel in DECRYPTING else {}
    # The email worker asks users-ms to confirm a deletion before it erases a user.
    confirming = {"USERS_URL": layout.url("USERS_PORT")} if channel == "email" else {}
    own = {"NOTIFICATION_MEDIUM": channel} | decrypting | confirming
    return worker(layout, "notification", name or user, own | variables, user=user)


DECRYPTING = ("email", "sms")


METRICS_PORTS = {
    **{f"{service}-outbox-relay": port for service, port in RELAYS.items()},
    "auth-event-worker": "AUTH_WORKER_METRICS_PORT",
    "notification-email-worker": "EMAIL_WORKER_METRICS_PORT",
    "notification-sms-worker": "SMS_WORKER_METRICS_PORT",
}


def _background(layout: Layout, service: str, name: str, command: list[str], variables: dict[str, str]) -> Program:
    heartbeat = layout.directory / "run" / f"{name}.heartbeat"
    environment = service_environment(layout, service) | variables | {"HEARTBEAT_FILE": str(heartbeat)}
    if name in METRICS_PORTS:
        environment["METRICS_BIND"] = f"127.0.0.1:{layout.ports[METRICS_PORTS[name]]}"
    return Program(name=name, command=command, directory=ROOT / service, environment=environment, heartbeat=heartbeat)


def gateway(layout: Layout) -> Program:
    """Caddy, with the same configuration as in Compose."""
    ports, home = layout.ports, layout.directory / "gateway"
    environment = {
        "HOME": str(home),
        "XDG_DATA_HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "GATEWAY_BIND": "127.0.0.1",
        "SITE_ADDRESS": f"http://:{ports['GATEWAY_PORT']}",
        "GATEWAY_ROOT": str(ROOT / "gateway"),
        **{f"{name.upper()}_UPSTREAM": f"127.0.0.1 {ports[f'{name.upper()}_PORT']}" for name in SERVICES},
    }
    configuration = ["--config", str(ROOT / "gateway" / "Caddyfile"), "--adapter", "caddyfile"]
    return Program(
        name="gateway",
        command=[str(installed_servers.program("caddy")), "run", *configuration],
        environment=environment,
        port=ports["GATEWAY_PORT"],
        url=f"{layout.url('GATEWAY_PORT')}/healthcheck",
    )


def infrastructure(layout: Layout) -> list[Program]:
    """The programs that must run before the migrations."""
    databases = [database(layout, service) for service in SERVICES]
    return [*databases, *broker(layout), mail_catcher(layout)]


def applications(layout: Layout) -> list[Program]:
    """The processes of the services, and the gateway in front of them."""
    return [
        *(web(layout, service) for service in SERVICES),
        *(relay(layout, service) for service in RELAYS),
        worker(layout, "auth", "auth-event-worker", {}),
        notification_worker(layout, "email", {}),
        notification_worker(layout, "sms", {}),
        gateway(layout),
    ]
