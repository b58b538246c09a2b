"""Options in database URLs take effect, above all TLS."""

from chassis.operations.environment import Environment
from chassis.operations.settings import shared_settings

TLS = "?sslmode=verify-full&sslrootcert=/run/ca.pem"


def test_a_database_url_may_require_tls(monkeypatch):
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL"):
        monkeypatch.setenv(name, f"postgres://one:x@db/name{TLS}")
    monkeypatch.setenv("SECRET_KEY", "x" * 64)
    monkeypatch.setenv("BROKER_URL", "amqps://one:x@broker:5671/%2F")

    databases = shared_settings(Environment("a-service"), import_root="a", applications=[])["DATABASES"]

    for alias in ("default", "owner"):
        options = databases[alias]["OPTIONS"]
        assert (options["sslmode"], options["sslrootcert"]) == ("verify-full", "/run/ca.pem")
        assert options["connect_timeout"] == 2
