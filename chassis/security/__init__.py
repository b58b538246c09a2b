"""Tokens, live decisions about rights, encryption, rate limits, and the limit on concurrent password checks."""
