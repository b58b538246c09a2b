"""Clients, authorizations, grants and their tokens."""
