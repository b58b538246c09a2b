"""Checks passwords against known breaches: a bundled filter, and a range API if configured.

NIST SP 800-63B-4, §3.1.1.2: new passwords are compared with those known to be common, expected or compromised.
"""

import hashlib
import logging
import re
import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NoAnswer
from functools import cache
from pathlib import Path

import requests
from django.conf import settings

from chassis.http import circuit_breaker
from users_ms.accounts import metrics
from users_ms.accounts.bloom import BloomFilter

FILE = Path(__file__).with_name("breached_passwords.bloom")
ANSWER_SECONDS = 1.0  # the longest wait of a sign-up for the range API, including the DNS lookup
SOCKET_SECONDS = 0.8
MAXIMUM_ANSWER_BYTES = 256 * 1024  # a range has about 40 KiB
_LINE = re.compile(r"([0-9A-F]{35}):(\d+)")
_breaker = circuit_breaker.CircuitBreaker(
    "breached passwords", slow_calls=3, slow_seconds=0.75 * ANSWER_SECONDS, open_seconds=30.0
)
_threads = ThreadPoolExecutor(4, thread_name_prefix="breached-passwords")
logger = logging.getLogger(__name__)


class Unavailable(Exception):
    """The range API gave no usable answer."""


def is_known(password: str) -> bool:
    """True when the password is known from breaches; the range API is queried only if the filter does not have it.

    Without an answer from the API the password counts as unknown, so that its outage does not stop sign-ups.
    """
    if password.strip().casefold() in common_passwords():
        return True
    return bool(settings.BREACHED_PASSWORDS_URL) and _is_in_range(password)


@cache
def common_passwords() -> BloomFilter:
    """The bundled filter, read once per process."""
    return BloomFilter.read(FILE)


def _is_in_range(password: str) -> bool:
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
    try:
        with _breaker.call():
            found = _wait_for(_threads.submit(_suffixes, digest[:5]))
    except (Unavailable, circuit_breaker.CircuitOpen) as error:
        metrics.breached_password_checks.labels("unavailable").inc()
        logger.warning("breached passwords are not looked up", extra={"reason": str(error)})
        return False
    outcome = digest[5:] in found
    metrics.breached_password_checks.labels("found" if outcome else "not_found").inc()
    return outcome


def _wait_for(answer: "Future[set[str]]") -> set[str]:
    try:
        return answer.result(timeout=ANSWER_SECONDS)
    except NoAnswer as error:
        answer.cancel()
        raise Unavailable("no answer in time") from error


def _suffixes(prefix: str) -> set[str]:
    """The suffixes of known SHA-1 hashes that begin with `prefix`. Only five of the 40 digits leave this service.

    https://haveibeenpwned.com/API/v3#PwnedPasswords; `Add-Padding` hides the number of results from observers.
    Raises Unavailable.
    """
    headers = {"Add-Padding": "true", "Accept": "text/plain", "User-Agent": "tessera-users-ms"}
    began = time.monotonic()
    try:
        with requests.get(
            f"{settings.BREACHED_PASSWORDS_URL.rstrip('/')}/{prefix}",
            headers=headers,
            timeout=SOCKET_SECONDS,
            allow_redirects=False,
            stream=True,
        ) as answer:
            if answer.status_code != requests.codes.ok:
                raise Unavailable(f"status {answer.status_code}")
            body = b""
            for part in answer.iter_content(8192):
                body += part
                if len(body) > MAXIMUM_ANSWER_BYTES or time.monotonic() - began > ANSWER_SECONDS:
                    raise Unavailable("too long an answer")
    except requests.RequestException as error:
        raise Unavailable(type(error).__name__) from error
    lines = [_LINE.fullmatch(line.strip().upper()) for line in body.decode("ascii", "replace").splitlines()]
    if not lines or not all(lines):
        raise Unavailable("no list of hashes")
    return {line[1] for line in lines if line and int(line[2]) > 0}  # padding entries have the count 0
