"""Reading the environment, and the Django settings that every service shares.

Follows the twelve-factor app (https://12factor.net/config): each service reads every variable once, in its own settings
module, through `Environment`. `NAME_FILE` may name a file that holds the value of `NAME`, as container secrets do.
"""

import ipaddress
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import environ

from chassis import logs

OWNER_DATABASE = "owner"  # its alias in DATABASES
MAXIMUM_BODY_BYTES = 64 * 1024
MEMORY = "/dev/shm"  # noqa: S108  # nosec B108 - files that no disk can slow down
REQUIRED: Any = object()
NO_QUEUES: Mapping[str, Collection[str]] = {}


class ConfigurationError(SystemExit):
    """The environment does not allow the service to start. Ends the process with a message instead of a traceback."""


@dataclass(frozen=True)
class Variable:
    """One environment variable: what it is called, what it may hold, and what it means."""

    name: str
    kind: str
    default: Any
    meaning: str


class Environment:
    """Reads a service's variables and remembers them, so that documentation can list what the code really reads.

    Every reader raises ConfigurationError, which names the variable, when it is missing without a default or is no such
    value.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self.variables: list[Variable] = []
        self._environ = environ.FileAwareEnv()

    def text(self, name: str, meaning: str, default: Any = REQUIRED) -> str:
        """A string with white space at its ends removed."""
        value: str = self._read("text", name, meaning, default, lambda: self._environ.str(name).strip())
        return value

    def secret(self, name: str, meaning: str, minimum_length: int = 32) -> str:
        """A secret: it has no default, and a short one is refused."""
        value: str = self._read("secret", name, meaning, REQUIRED, lambda: self._environ.str(name).strip())
        if len(value) < minimum_length:
            self._refuse(name, f"needs at least {minimum_length} characters, it has {len(value)}", meaning)
        return value

    def integer(self, name: str, meaning: str, default: Any = REQUIRED, minimum: int = 0, maximum: int = 2**31) -> int:
        """A whole number from `minimum` to `maximum`."""
        value: int = self._read("integer", name, meaning, default, lambda: int(self._environ.str(name)))
        if not minimum <= value <= maximum:
            self._refuse(name, f"must lie between {minimum} and {maximum}, it is {value}", meaning)
        return value

    def number(self, name: str, meaning: str, default: Any = REQUIRED) -> float:
        """A number that is not negative."""
        value: float = self._read("number", name, meaning, default, lambda: float(self._environ.str(name)))
        if not 0 <= value < float("inf"):
            self._refuse(name, f"must not be negative or infinite, it is {value}", meaning)
        return value

    def boolean(self, name: str, meaning: str, default: Any = REQUIRED) -> bool:
        """`true` or `false`."""

        def read() -> bool:
            words = {"true": True, "false": False}
            return words[self._environ.str(name).strip().lower()]

        value: bool = self._read("true or false", name, meaning, default, read)
        return value

    def choice(self, name: str, meaning: str, choices: list[str], default: Any = REQUIRED) -> str:
        """One of `choices`."""
        value = self.text(name, meaning, default)
        if value not in choices:
            self._refuse(name, f"must be one of {', '.join(choices)}, it is {value!r}", meaning)
        return value

    def url(self, name: str, meaning: str, schemes: list[str], default: Any = REQUIRED) -> str:
        """A URL with one of `schemes`. Its value is never shown, because it may hold a password."""
        value = self.text(name, meaning, default)
        self._check_scheme(name, value, meaning, schemes)
        return value

    def _check_scheme(self, name: str, value: str, meaning: str, schemes: list[str]) -> None:
        if value.partition("://")[0] not in schemes:
            self._refuse(name, f"must be a URL that starts with {' or '.join(f'{s}://' for s in schemes)}", meaning)

    def database(self, name: str, meaning: str, default: Any = REQUIRED) -> Any:
        """A Django database configuration from a `postgres://` URL; the default, when it is not set."""
        value = self.text(name, meaning, default)
        if not value:
            return default
        self._check_scheme(name, value, meaning, ["postgres", "postgresql"])
        try:
            return dict(self._environ.db_url(name)) | {"ENGINE": "chassis.postgresql"}
        except (ValueError, environ.ImproperlyConfigured):
            return self._refuse(name, "is no database URL like postgres://user:password@host:5432/name", meaning)

    def email(self, name: str, meaning: str) -> Any:
        """Django's EMAIL_* settings from an `smtp://`, `smtp+tls://` or `smtp+ssl://` URL."""
        self.url(name, meaning, schemes=["smtp", "smtp+tls", "smtp+ssl"])
        try:
            return {key: value for key, value in self._environ.email_url(name).items() if key.startswith("EMAIL_")}
        except (ValueError, environ.ImproperlyConfigured):
            return self._refuse(name, "is no mail server URL like smtp://user:password@host:587", meaning)

    def words(self, name: str, meaning: str) -> set[str]:
        """What stands between commas; nothing unless given."""
        return {word.strip() for word in self.text(name, meaning, default="").split(",") if word.strip()}

    def proxies(self, name: str, meaning: str) -> list[str]:
        """A list, empty unless given, of IP addresses, networks in CIDR notation and host names."""
        entries = [entry.strip() for entry in self.text(name, meaning, default="").split(",") if entry.strip()]
        for entry in entries:
            if _is_network(entry) or re.fullmatch(r"(?=.*[A-Za-z])[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", entry):
                continue
            self._refuse(name, f"holds {entry!r}, which is no address, no network and no host name", meaning)
        return entries

    def _read(self, kind: str, name: str, meaning: str, default: Any, read: Any) -> Any:
        self.variables.append(Variable(name, kind, default, meaning))
        try:
            value = read()
        except environ.ImproperlyConfigured:
            if default is REQUIRED:
                self._refuse(name, "is not set", meaning)
            return default
        except (ValueError, KeyError):
            self._refuse(name, f"is no valid value ({kind})", meaning)
        except OSError as error:
            self._refuse(f"{name}_FILE", f"cannot be read: {error.strerror}", meaning)
        if value == "":
            if default is REQUIRED:
                self._refuse(name, "is empty", meaning)
            return default
        return value

    def _refuse(self, name: str, problem: str, meaning: str) -> Any:
        raise ConfigurationError(f"{self.service} cannot start: {name} {problem}. It is: {meaning}")


def _connection(database: dict[str, Any], name: str, *, timeout_seconds: int) -> dict[str, Any]:
    """`database` with what every connection has; what its URL asks for, such as sslmode, stays."""
    options = f"-c statement_timeout={timeout_seconds * 1000}"
    own = {"connect_timeout": 2, "application_name": name, "options": options, "answer_seconds": timeout_seconds + 1}
    kept = {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}
    return database | kept | {"OPTIONS": database.get("OPTIONS", {}) | own}


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def shared_settings(
    environment: Environment,
    *,
    import_root: str,
    applications: list[str],
    awaited_queues: Mapping[str, Collection[str]] = NO_QUEUES,
) -> dict[str, Any]:
    """The Django settings that are the same in every service; a service adds its own below them.

    `awaited_queues` are the consumers' queues, by event, for which the relay waits before it publishes.
    """
    prefix = environment.service
    log_level = environment.choice(
        "LOG_LEVEL", "how much is logged", ["DEBUG", "INFO", "WARNING", "ERROR"], default="INFO"
    )
    log_format = environment.choice("LOG_FORMAT", "json, or text for people", ["json", "text"], default="json")
    databases = _databases(environment)
    absent = environment.words(
        "ABSENT_QUEUES",
        "queues whose workers this installation does not run, with commas between; relays wait for all others",
    )
    return {
        "SECRET_KEY": environment.secret("SECRET_KEY", "Django's key for signing; random, at least 32 characters"),
        "SERVICE": prefix,
        "BROKER_URL": environment.url(
            "BROKER_URL",
            "RabbitMQ, amqp://user:password@host:5672/%2F; amqps:// over TLS, with the CA that SSL_CERT_FILE names",
            ["amqp", "amqps"],
        ),
        "HEARTBEAT_FILE": environment.text(
            "HEARTBEAT_FILE",
            "the file that a relay or worker touches while it is alive",
            default="/tmp/heartbeat",  # noqa: S108  # nosec B108 - in a container of its own
        ),
        "TOKEN_ISSUER": environment.text("TOKEN_ISSUER", "the `iss` of every token", default="tessera"),
        "PRIVILEGED_SESSION_SECONDS": environment.integer(
            "PRIVILEGED_SESSION_SECONDS",
            "how long after a login its session may change the email or second factors, or delete the account",
            default=900,
            minimum=1,
        ),
        "TRUSTED_PROXIES": environment.proxies(
            "TRUSTED_PROXIES",
            "whose X-Forwarded-For is believed: addresses, networks or host names, with commas between",
        ),
        "AWAITED_QUEUES": {event: set(queues) - absent for event, queues in awaited_queues.items()},
        "OUTBOX_RETENTION_DAYS": environment.integer(
            "OUTBOX_RETENTION_DAYS", "how long a published event is kept", default=7, minimum=1
        ),
        # What the relays call now and then, with the time as `at`, to forget what is no longer needed.
        "PRUNERS": ["chassis.outbox.services.prune"],
        "COLLECTORS": ["chassis.outbox.metrics.OutboxCollector"],  # of what Prometheus reads at /metrics
        "DEBUG": False,
        # No response is built from the Host header (links are relative), and probes call by address.
        "ALLOWED_HOSTS": ["*"],
        "ROOT_URLCONF": f"{import_root}.urls",
        "WSGI_APPLICATION": f"{import_root}.wsgi.application",
        "DATABASES": databases,
        "APPEND_ONLY_TABLES": [],
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "USE_TZ": True,
        "TIME_ZONE": "UTC",
        "LANGUAGE_CODE": "en",
        "APPEND_SLASH": False,
        "DATA_UPLOAD_MAX_MEMORY_SIZE": MAXIMUM_BODY_BYTES,
        "STATIC_URL": f"/{prefix}/static/",
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
            "chassis.web.RequestMiddleware",
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
        # What `manage.py check --deploy` asks for and does not fit here.
        "SILENCED_SYSTEM_CHECKS": [
            "security.W003",  # CSRF: callers show a token; the one cookie, of auth-ms' refresh, checks Origin itself
            "security.W004",  # HSTS, and
            "security.W008",  # the redirect to HTTPS: TLS ends at the gateway, which does both
        ],
        "REST_FRAMEWORK": _rest_framework(),
        "OPENAPI_LINKS": {},
        "SPECTACULAR_SETTINGS": _spectacular(prefix),
        "LOGGING": logs.configuration(level=log_level, style=log_format, service=prefix),
    }


def _databases(environment: Environment) -> dict[str, Any]:
    """The service's own database, and as its owner where a migration says so."""
    prefix = environment.service
    default = environment.database(
        "DATABASE_URL",
        "this service's own PostgreSQL, postgres://user:password@host/name, as the service's role; over TLS"
        " with ?sslmode=verify-full&sslrootcert=/path/to/ca.pem",
    )
    databases = {"default": _connection(default, prefix, timeout_seconds=10)}
    owner = environment.database(
        "DATABASE_OWNER_URL", "the same as the role that owns it; for `manage.py prepare_database` alone", default=""
    )
    if owner:
        databases[OWNER_DATABASE] = _connection(owner, f"{prefix} owner", timeout_seconds=600)
    return databases


def _rest_framework() -> dict[str, Any]:
    return {
        "DEFAULT_AUTHENTICATION_CLASSES": ["chassis.tokens.BearerAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["chassis.tokens.IsPerson"],
        "DEFAULT_PARSER_CLASSES": ["chassis.web.StrictJSONParser"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_CONTENT_NEGOTIATION_CLASS": "chassis.web.AlwaysJSON",
        "DEFAULT_PAGINATION_CLASS": "chassis.pagination.KeysetPagination",
        "DEFAULT_SCHEMA_CLASS": "chassis.schema.Schema",
        "EXCEPTION_HANDLER": "chassis.errors.answer_problem",
        "UNAUTHENTICATED_USER": None,
        "UNAUTHENTICATED_TOKEN": None,
    }


def _spectacular(prefix: str) -> dict[str, Any]:
    return {
        "POSTPROCESSING_HOOKS": [
            "drf_spectacular.hooks.postprocess_schema_enums",
            "chassis.openapi.complete",
        ],
        "TITLE": prefix,
        "VERSION": "0.1.0",
        "OAS_VERSION": "3.1.0",
        "SERVE_INCLUDE_SCHEMA": False,
        "SERVE_AUTHENTICATION": [],
        "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
        "SWAGGER_UI_DIST": "SIDECAR",
        "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
        "COMPONENT_SPLIT_REQUEST": True,
        "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    }
