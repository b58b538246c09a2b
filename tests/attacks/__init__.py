"""Attacks on accounts, addresses, notices, privacy, and the broker."""
