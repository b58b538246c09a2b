"""Fixtures for the tests of kustomize/."""

import itertools
from collections.abc import Iterator

import pytest

from installation import service_catalog
from kustomize.tests.building import COMBINATIONS, FOLDER

SECRET_KEYS = ["SECRET_KEY", "DATABASE_URL", "DATABASE_OWNER_URL", "POSTGRES_PASSWORD"]


@pytest.fixture(scope="session", autouse=True)
def secrets() -> Iterator[None]:
    """Create the minikube overlay's env files that `make cluster-secrets` has not created."""
    folder = FOLDER / "overlays" / "minikube" / "secrets"
    made = []
    folder.mkdir(mode=0o700, exist_ok=True)
    names = [f"{service}-{part}" for service, part in itertools.product(service_catalog.SERVICES, ("ms", "db"))]
    for name in [*names, "broker", "sealing"]:
        file = folder / f"{name}.env"
        if not file.exists():
            file.write_text("".join(f"{key}=only-for-building\n" for key in SECRET_KEYS))
            made.append(file)
    yield
    for file in made:
        file.unlink()


@pytest.fixture(params=list(COMBINATIONS))
def combination(request: pytest.FixtureRequest) -> str:
    return str(request.param)
