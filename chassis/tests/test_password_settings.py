import pytest

from chassis.operations.environment import ConfigurationError, Environment
from chassis.security.password_settings import password_settings


@pytest.mark.parametrize(("value", "algorithm"), [("bcrypt", "bcrypt_sha256"), ("argon2id", "argon2")])
def test_the_hasher_is_djangos_name_of_the_algorithm(monkeypatch, value, algorithm):
    monkeypatch.setenv("PASSWORD_HASHER", value)

    assert password_settings(Environment("a-service"))["PASSWORD_HASHER"] == algorithm


@pytest.mark.parametrize(
    ("name", "value"),
    [("PASSWORD_HASHER", "md5"), ("BCRYPT_COST", "3"), ("ARGON2_MEMORY_KIB", "7"), ("ARGON2_PASSES", "0")],
)
def test_weak_or_unknown_values_stop_the_start(monkeypatch, name, value):
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match=name):
        password_settings(Environment("a-service"))
