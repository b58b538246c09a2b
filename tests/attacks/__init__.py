"""Attacks on accounts, addresses, notifications, privacy and the broker."""
