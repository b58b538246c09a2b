"""Signing in: passwords, lockout, the second step."""
