"""Reading environment variables, as in the twelve-factor app (https://12factor.net/config).

Each service reads every variable once, in its settings module, through `Environment`. `NAME_FILE` may name a file with
the value of `NAME`, as for container secrets.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Any

import email_validator
import environ

REQUIRED: Any = object()


class ConfigurationError(SystemExit):
    """The environment does not allow the service to start. Ends the process with a message instead of a traceback."""


@dataclass(frozen=True)
class Variable:
    """A documented environment variable."""

    name: str
    kind: str
    default: Any
    meaning: str


class Environment:
    """Reads a service's variables and records them in `variables`, from which the documentation is generated.

    Every reader raises ConfigurationError, naming the variable, when it has neither value nor default, or is invalid.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self.variables: list[Variable] = []
        self._environ = environ.FileAwareEnv()

    def text(self, name: str, meaning: str, default: Any = REQUIRED) -> str:
        """A string, stripped of surrounding white space."""
        value: str = self._read("text", name, meaning, default, lambda: self._environ.str(name).strip())
        return value

    def secret(self, name: str, meaning: str, minimum_length: int = 32) -> str:
        """A secret without default, of at least `minimum_length` characters."""
        value: str = self._read("secret", name, meaning, REQUIRED, lambda: self._environ.str(name).strip())
        if len(value) < minimum_length:
            self._reject(name, f"needs at least {minimum_length} characters, it has {len(value)}", meaning)
        return value

    def secrets(self, name: str, meaning: str, minimum_length: int = 32) -> list[str]:
        """Comma-separated secrets, the newest first, for rotation; each of at least `minimum_length` characters."""
        text: str = self._read("secrets", name, meaning, REQUIRED, lambda: self._environ.str(name).strip())
        values = [value.strip() for value in text.split(",")]
        if shortest := [value for value in values if len(value) < minimum_length]:
            self._reject(name, f"needs at least {minimum_length} characters, it has {len(shortest[0])}", meaning)
        return values

    def integer(self, name: str, meaning: str, default: Any = REQUIRED, minimum: int = 0, maximum: int = 2**31) -> int:
        """An integer from `minimum` to `maximum`."""
        value: int = self._read("integer", name, meaning, default, lambda: int(self._environ.str(name)))
        if not minimum <= value <= maximum:
            self._reject(name, f"must be between {minimum} and {maximum}, it is {value}", meaning)
        return value

    def number(self, name: str, meaning: str, default: Any = REQUIRED) -> float:
        """A non-negative, finite number."""
        value: float = self._read("number", name, meaning, default, lambda: float(self._environ.str(name)))
        if not 0 <= value < float("inf"):
            self._reject(name, f"must not be negative or infinite, it is {value}", meaning)
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
            self._reject(name, f"must be one of {', '.join(choices)}, it is {value!r}", meaning)
        return value

    def some_of(self, name: str, meaning: str, choices: list[str], default: str) -> frozenset[str]:
        """Comma-separated words, each one of `choices`."""
        found = frozenset(self.words(name, meaning, default))
        for word in sorted(found - set(choices)):
            self._reject(name, f"must be of {', '.join(choices)}, it has {word!r}", meaning)
        return found

    def url(self, name: str, meaning: str, schemes: list[str], default: Any = REQUIRED) -> str:
        """A URL with one of `schemes`. Errors do not show its value, which may contain a password."""
        value = self.text(name, meaning, default)
        if value or default is REQUIRED:
            self._check_scheme(name, value, meaning, schemes)
        return value

    def _check_scheme(self, name: str, value: str, meaning: str, schemes: list[str]) -> None:
        if value.partition("://")[0] not in schemes:
            self._reject(name, f"must be a URL that starts with {' or '.join(f'{s}://' for s in schemes)}", meaning)

    def database(self, name: str, meaning: str, default: Any = REQUIRED) -> Any:
        """A Django database configuration from a `postgres://` URL; `default` when it is not set."""
        value = self.text(name, meaning, default)
        if not value:
            return default
        self._check_scheme(name, value, meaning, ["postgres", "postgresql"])
        try:
            return dict(self._environ.db_url(name)) | {"ENGINE": "chassis.database.postgresql"}
        except (ValueError, environ.ImproperlyConfigured):
            return self._reject(name, "is not a database URL like postgres://user:password@host:5432/name", meaning)

    def email(self, name: str, meaning: str) -> Any:
        """Django's EMAIL_* settings from an `smtp://`, `smtp+tls://` or `smtp+ssl://` URL."""
        self.url(name, meaning, schemes=["smtp", "smtp+tls", "smtp+ssl"])
        try:
            return {key: value for key, value in self._environ.email_url(name).items() if key.startswith("EMAIL_")}
        except (ValueError, environ.ImproperlyConfigured):
            return self._reject(name, "is not a mail server URL like smtp://user:password@host:587", meaning)

    def words(self, name: str, meaning: str, default: str = "") -> set[str]:
        """A set of comma-separated words."""
        return {word.strip() for word in self.text(name, meaning, default=default).split(",") if word.strip()}

    def addresses(self, name: str, meaning: str) -> list[str]:
        """Comma-separated email addresses, in order; none by default."""
        return sorted(self._address(name, word, meaning) for word in self.words(name, meaning))

    def _address(self, name: str, word: str, meaning: str) -> str:
        try:
            return str(email_validator.validate_email(word, check_deliverability=False).normalized)
        except email_validator.EmailNotValidError:
            return str(self._reject(name, f"contains {word!r}, which is no email address", meaning))

    def domains(self, name: str, meaning: str) -> frozenset[str]:
        """Comma-separated domains of email addresses, in ASCII and lower case; empty by default."""
        return frozenset(self._domain(name, word, meaning) for word in self.words(name, meaning))

    def _domain(self, name: str, word: str, meaning: str) -> str:
        try:
            found = email_validator.validate_email(f"any@{word}", check_deliverability=False)
        except email_validator.EmailNotValidError:
            return str(self._reject(name, f"contains {word!r}, which is no domain such as example.org", meaning))
        return str(found.ascii_domain).lower()

    def proxies(self, name: str, meaning: str) -> list[str]:
        """A list of IP addresses, networks in CIDR notation and host names; empty by default."""
        entries = [entry.strip() for entry in self.text(name, meaning, default="").split(",") if entry.strip()]
        for entry in entries:
            if _is_network(entry) or re.fullmatch(r"(?=.*[A-Za-z])[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", entry):
                continue
            self._reject(name, f"contains {entry!r}, which is neither an address, a network nor a host name", meaning)
        return entries

    def networks(self, name: str, meaning: str) -> list[str]:
        """A list of networks in CIDR notation; empty by default."""
        entries = [entry.strip() for entry in self.text(name, meaning, default="").split(",") if entry.strip()]
        for entry in entries:
            if not _is_network(entry):
                self._reject(name, f"contains {entry!r}, which is no network such as 10.0.0.0/8", meaning)
        return entries

    def _read(self, kind: str, name: str, meaning: str, default: Any, read: Any) -> Any:
        self.variables.append(Variable(name, kind, default, meaning))
        try:
            value = read()
        except environ.ImproperlyConfigured:
            if default is REQUIRED:
                self._reject(name, "is not set", meaning)
            return default
        except (ValueError, KeyError):
            self._reject(name, f"is not a valid value ({kind})", meaning)
        except OSError as error:
            self._reject(f"{name}_FILE", f"cannot be read: {error.strerror}", meaning)
        if value == "":
            if default is REQUIRED:
                self._reject(name, "is empty", meaning)
            return default
        return value

    def _reject(self, name: str, problem: str, meaning: str) -> Any:
        raise ConfigurationError(f"{self.service} cannot start: {name} {problem}. It is: {meaning}")


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True
