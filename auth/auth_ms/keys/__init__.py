"""Signing keys, the encryption of stored secrets, and the tokens that are issued."""
