"""Webhooks: product events, the endpoints that receive them, and the log of their deliveries."""
