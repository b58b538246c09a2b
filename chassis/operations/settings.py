"""The Django settings that every service shares."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from chassis.operations import logs
from chassis.operations.environment import Environment

VERSION = (Path(__file__).parents[2] / "VERSION").read_text().strip()
OWNER_DATABASE = "owner"  # its alias in DATABASES
MAXIMUM_BODY_BYTES = 64 * 1024
MEMORY = "/dev/shm"  # noqa: S108  # nosec B108 - a slow disk cannot stall these files
NO_QUEUES: Mapping[str, Collection[str]] = {}


def _connection(database: dict[str, Any], name: str, *, timeout_seconds: int) -> dict[str, Any]:
    """`database` with the options of every connection; those of its URL, such as sslmode, are kept."""
    options = f"-c statement_timeout={timeout_seconds * 1000}"
    own = {"connect_timeout": 2, "application_name": name, "options": options, "answer_seconds": timeout_seconds + 1}
    kept = {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}
    return database | kept | {"OPTIONS": database.get("OPTIONS", {}) | own}


def shared_settings(
    environment: Environment,
    *,
    import_root: str,
    applications: list[str],
    awaited_queues: Mapping[str, Collection[str]] = NO_QUEUES,
) -> dict[str, Any]:
    """The Django settings of every service, which adds its own.

    `awaited_queues`: by event, the consumers' queues that must exist before the relay publishes it; none: it does not
    need a consumer.
    """
    # Before any application: prometheus_client decides when it is first imported whether processes share their values.
    from chassis.operations import metrics  # noqa: F401

    service = environment.service
    log_level = environment.choice(
        "LOG_LEVEL", "minimum level of log messages", ["DEBUG", "INFO", "WARNING", "ERROR"], default="INFO"
    )
    log_format = environment.choice("LOG_FORMAT", "json, or text for terminals", ["json", "text"], default="json")
    return {
        "LOGGING": logs.configuration(level=log_level, style=log_format, service=service),
        "DATABASES": _databases(environment),
        **_read(environment, awaited_queues),
        **_fixed(service, import_root, applications),
        "REST_FRAMEWORK": _rest_framework(),
        "SPECTACULAR_SETTINGS": _spectacular(service),
    }


def _read(environment: Environment, awaited_queues: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """Settings from environment variables."""
    issuers = environment.text(
        "TOKEN_ISSUER",
        "the `iss` of every token of the account API; during a change the new and the old one, separated by a comma:"
        " auth-ms writes the first, and all are accepted",
        default="tessera",
    ).split(",")
    absent = environment.words(
        "ABSENT_QUEUES",
        "comma-separated queues whose workers this installation does not run; relays wait for all others",
    )
    return {
        "SECRET_KEY": environment.secret("SECRET_KEY", "Django's key for signing; random, at least 32 characters"),
        "BROKER_URL": environment.url(
            "BROKER_URL",
            "RabbitMQ, as the user of this process, amqp://user:password@host:5672/%2F; amqps:// over TLS, with the CA"
            " that SSL_CERT_FILE names; needed by relays, workers and notification-ms",
            ["amqp", "amqps"],
            default="",
        ),
        "HEARTBEAT_FILE": environment.text(
            "HEARTBEAT_FILE",
            "the file that a relay or worker touches while it works",
            default="/tmp/heartbeat",  # noqa: S108  # nosec B108 - in a container of its own
        ),
        "TOKEN_ISSUER": issuers[0].strip(),
        "TOKEN_ISSUERS": [issuer.strip() for issuer in issuers],
        "PRIVILEGED_SESSION_SECONDS": environment.integer(
            "PRIVILEGED_SESSION_SECONDS",
            "how many seconds after a login its session may change the email or second factors, or delete the account",
            default=900,
            minimum=1,
        ),
        "TRUSTED_PROXIES": environment.proxies(
            "TRUSTED_PROXIES",
            "proxies whose X-Forwarded-For is trusted: comma-separated addresses, networks or host names",
        ),
        "AWAITED_QUEUES": {event: set(queues) - absent for event, queues in awaited_queues.items()},
        "OUTBOX_RETENTION_HOURS": environment.integer(
            "OUTBOX_RETENTION_HOURS",
            "how long a published event, with its personal data, is kept for republishing",
            default=20,
            minimum=1,
        ),
    }


def _fixed(service: str, import_root: str, applications: list[str]) -> dict[str, Any]:
    """Constant settings."""
    return {
        "SERVICE": service,
        "AUTHORITY": "chassis.security.authority.RemoteAuthority",  # makes live decisions
        # Called every hour by the relays, with the time as `at`, to delete expired rows.
        "PRUNERS": ["chassis.outbox.services.prune"],
        "COLLECTORS": ["chassis.outbox.metrics.OutboxCollector"],  # of metrics that are read from the database
        "DEBUG": False,
        # No response depends on the Host header (links are relative), and probes use the IP address.
        "ALLOWED_HOSTS": ["*"],
        "ROOT_URLCONF": f"{import_root}.urls",
        "WSGI_APPLICATION": f"{import_root}.wsgi.application",
        "APPEND_ONLY_TABLES": [],
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "USE_TZ": True,
        "TIME_ZONE": "UTC",
        "LANGUAGE_CODE": "en",
        "APPEND_SLASH": False,
        "DATA_UPLOAD_MAX_MEMORY_SIZE": MAXIMUM_BODY_BYTES,
        "BODY_LIMITS": {},  # by path, also for what is below: bytes of a body that its view reads itself
        "STATIC_URL": f"/{service}/static/",
        "WHITENOISE_USE_FINDERS": True,
        "WHITENOISE_AUTOREFRESH": False,
        "INSTALLED_APPS": [
            "django.contrib.staticfiles",
            "rest_framework",
            "drf_spectacular",
            "drf_spectacular_sidecar",
            "chassis",
            *applications,
        ],
        "MIDDLEWARE": [
            "chassis.http.middleware.RequestMiddleware",
            "django.middleware.security.SecurityMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
            "whitenoise.middleware.WhiteNoiseMiddleware",
        ],
        "TEMPLATES": [
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {"builtins": []},
            }
        ],
        "SECURE_REFERRER_POLICY": "no-referrer",
        # Checks of `manage.py check --deploy` that do not apply.
        "SILENCED_SYSTEM_CHECKS": [
            "security.W003",  # CSRF: callers send a token; auth-ms checks Origin with its one cookie
            "security.W004",  # HSTS, and
            "security.W008",  # the redirect to HTTPS: TLS ends at the gateway, which does both
        ],
        "OPENAPI_LINKS": {},
    }


def _databases(environment: Environment) -> dict[str, Any]:
    """The service's database, as the service's role and, if DATABASE_OWNER_URL is set, as its owner."""
    prefix = environment.service
    default = environment.database(
        "DATABASE_URL",
        "this service's PostgreSQL, postgres://user:password@host/name, as the service's role; over TLS"
        " with ?sslmode=verify-full&sslrootcert=/path/to/ca.pem",
    )
    databases = {"default": _connection(default, prefix, timeout_seconds=10)}
    owner = environment.database(
        "DATABASE_OWNER_URL", "the same as the role that owns it; only for `manage.py prepare_database`", default=""
    )
    if owner:
        databases[OWNER_DATABASE] = _connection(owner, f"{prefix} owner", timeout_seconds=600)
    return databases


def _rest_framework() -> dict[str, Any]:
    return {
        "DEFAULT_AUTHENTICATION_CLASSES": ["chassis.security.authentication.BearerAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["chassis.security.permissions.IsUser"],
        "DEFAULT_PARSER_CLASSES": ["chassis.http.parsers.StrictJSONParser"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_CONTENT_NEGOTIATION_CLASS": "chassis.http.parsers.AlwaysJSON",
        "DEFAULT_PAGINATION_CLASS": "chassis.http.pagination.KeysetPagination",
        "DEFAULT_SCHEMA_CLASS": "chassis.security.openapi_schema.Schema",
        "EXCEPTION_HANDLER": "chassis.http.errors.answer_problem",
        "UNAUTHENTICATED_USER": None,
        "UNAUTHENTICATED_TOKEN": None,
    }


def _spectacular(prefix: str) -> dict[str, Any]:
    return {
        "PREPROCESSING_HOOKS": ["chassis.http.openapi.leave_out_internal"],
        "POSTPROCESSING_HOOKS": [
            "drf_spectacular.hooks.postprocess_schema_enums",
            "chassis.http.openapi.complete",
        ],
        "TITLE": prefix,
        "DESCRIPTION": "The public routes of one of Tessera's services, at the gateway.",
        "LICENSE": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        "SERVERS": [{"url": "/", "description": "the gateway"}],
        "VERSION": VERSION,
        "OAS_VERSION": "3.1.0",
        "SERVE_INCLUDE_SCHEMA": False,
        "SERVE_AUTHENTICATION": [],
        "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
        "SWAGGER_UI_DIST": "SIDECAR",
        "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
        "COMPONENT_SPLIT_REQUEST": True,
        "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    }
