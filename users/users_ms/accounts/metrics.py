"""Metrics of users-ms."""

from prometheus_client import Counter

from chassis.operations.metrics import REGISTRY

breached_password_checks = Counter(
    "breached_password_checks",
    "new passwords looked up at BREACHED_PASSWORDS_URL; unavailable: accepted without a response",
    ["outcome"],
    registry=REGISTRY,
)
