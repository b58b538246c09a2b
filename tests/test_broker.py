"""The broker's own warnings about its use."""

import pytest


@pytest.fixture
def log(stack):
    return stack.log("rabbitmq")


def test_no_deprecated_broker_feature_is_used(log):
    """RabbitMQ 3.13 and later list transient non-exclusive queues and a global prefetch count."""
    assert "Starting broker" in log
    assert [line for line in log.splitlines() if "deprecated" in line.lower()] == []
