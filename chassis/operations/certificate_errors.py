"""Explains rejected TLS certificates: which setting to check."""

import ssl
from collections.abc import Iterator

from psycopg2 import OperationalError

_BROKER = "the broker's certificate is rejected: BROKER_URL names its host, SSL_CERT_FILE its CA"
_DATABASE = (
    "the database's certificate is rejected: DATABASE_URL or DATABASE_OWNER_URL names its host, sslrootcert its CA"
)


def explain(error: BaseException) -> str | None:
    """An explanation of `error`, from a connection to broker or database, if a certificate caused it; else None."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"{_BROKER} ({cause.verify_message})"
        if isinstance(cause, OperationalError) and "certificate" in str(cause):  # libpq has no code for it
            return f"{_DATABASE} ({str(cause).strip().splitlines()[-1]})"
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
