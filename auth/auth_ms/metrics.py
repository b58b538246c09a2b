"""Metrics of auth-ms."""

from prometheus_client import Counter

from chassis.operations.metrics import REGISTRY

sign_in_events = Counter("sign_in_events", "entries of the audit log", ["event", "outcome"], registry=REGISTRY)
events_handled = Counter(
    "events_handled", "events consumed without notifying anyone", ["event", "outcome"], registry=REGISTRY
)
oauth_token_requests = Counter(
    "oauth_token_requests", "answers of the OAuth token endpoint", ["grant_type", "outcome"], registry=REGISTRY
)
external_sign_ins = Counter(
    "external_sign_ins", "sign-ins with other providers", ["provider", "outcome"], registry=REGISTRY
)
logout_deliveries = Counter(
    "logout_deliveries", "attempts to tell a client of a logout", ["outcome"], registry=REGISTRY
)
