"""Tokens, authentication, permissions, live decisions, encryption, rate limits, and password concurrency."""
