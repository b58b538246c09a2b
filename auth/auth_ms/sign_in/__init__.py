"""Signing in: passwords compared, sessions kept, tokens issued."""
