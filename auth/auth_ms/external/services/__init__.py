"""Providers, their metadata and tokens, sign-ins, and linked identities."""
