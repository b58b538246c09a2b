"""Logging: JSON lines, or short text lines for terminals, with the ids of request and trace."""

import contextvars
import json
import logging
import os
import random
import re
import sys
from datetime import UTC, datetime
from typing import Any

request_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("request_id", default=None)
trace_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("trace_id", default=None)
_WELL_FORMED_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
# Control characters and Unicode line separators, which could forge lines or control a terminal.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_COLOURS = {"DEBUG": "2", "WARNING": "33", "ERROR": "31", "CRITICAL": "31;1"}

# Attributes that logging itself sets on a record; all others come from `extra=`.
_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "data"}


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    for name, identifier in (("request_id", request_id.get()), ("trace_id", trace_id.get())):
        if identifier:
            fields.setdefault(name, identifier)
    return fields


def well_formed_id(value: Any) -> str | None:
    """`value` if it is a valid request id (8 to 64 letters, digits, dots, hyphens or underscores), else None."""
    return value if isinstance(value, str) and _WELL_FORMED_ID.fullmatch(value) else None


def new_id() -> str:
    """A random id of 32 hexadecimal digits. Not a secret: from `random`, which saves a system call per request."""
    return f"{random.getrandbits(128):032x}"


def coloured(line: str, level: str) -> str:
    """`line` with the terminal colour of its level."""
    return f"\033[{_COLOURS[level]}m{line}\033[0m" if level in _COLOURS else line


def _escaped(text: str) -> str:
    """`text` as one line, with control characters escaped."""
    return _CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)


class JSONFormatter(logging.Formatter):
    """One JSON object per line: time (UTC, ISO 8601), level, service, logger, message, and the record's own fields."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self.service = service

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "service": self.service,
            "logger": record.name,
            "message": record.getMessage(),
        } | _fields(record)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """`12:00:01.123 INFO users-ms message field=value`, coloured on a terminal."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self.service = service
        self.coloured = sys.stderr.isatty()

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        fields = "".join(f" {key}={value}" for key, value in _fields(record).items())
        line = f"{time} {record.levelname} {self.service} {_escaped(record.getMessage())}{_escaped(fields)}"
        if self.coloured:
            line = coloured(line, record.levelname)
        if record.exc_info:  # indented, because its text may contain user input
            lines = self.formatException(record.exc_info).splitlines()
            line += "".join(f"\n    {_escaped(part)}" for part in lines)
        return line


class StandardError(logging.Handler):
    """Writes each line with one system call and without a lock.

    logging.StreamHandler holds a lock while it writes, so threads wait for one that itself waits for the GIL.
    """

    def handle(self, record: logging.LogRecord) -> bool:
        passes = bool(self.filter(record))
        if passes:
            self.emit(record)
        return passes

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = f"{self.format(record)}\n".encode(errors="backslashreplace")
            while line:
                line = line[os.write(sys.stderr.fileno(), line) :]
        except Exception:  # like logging's own handlers: a logging error must not stop the program
            self.handleError(record)


class WithTraceback(logging.Filter):
    """Passes only records with an exception."""

    def filter(self, record: logging.LogRecord) -> bool:
        return bool(record.exc_info)


def configuration(*, level: str, style: str, service: str) -> dict[str, Any]:
    """A `logging.config` dictionary; `style` is `json` or `text`."""
    formatter = JSONFormatter if style == "json" else TextFormatter
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"with_traceback": {"()": WithTraceback}},
        "formatters": {"line": {"()": formatter, "service": service}},
        "handlers": {"standard": {"class": "chassis.operations.logs.StandardError", "formatter": "line"}},
        "root": {"handlers": ["standard"], "level": level},
        "loggers": {
            "django": {"handlers": [], "propagate": True},
            # The middleware logs every request; this logger adds the tracebacks of unexpected exceptions.
            "django.request": {"level": "ERROR", "filters": ["with_traceback"]},
            "django.server": {"handlers": [], "propagate": True},
            "gunicorn.error": {"handlers": [], "propagate": True},
        },
    }
