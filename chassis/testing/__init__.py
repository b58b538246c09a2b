"""Helpers shared by the services' tests; not part of any image."""
