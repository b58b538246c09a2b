"""What the broker itself has to say about how it is used."""

import pytest


@pytest.fixture
def said(stack):
    return stack.log("rabbitmq")


def test_nothing_that_is_used_is_deprecated(said):
    """Transient queues that are not exclusive and a global prefetch count would be named here since RabbitMQ 3.13."""
    assert "Starting broker" in said
    assert [line for line in said.splitlines() if "deprecated" in line.lower()] == []
