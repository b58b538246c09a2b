"""Signing keys, tokens, and the encryption of stored secrets."""
