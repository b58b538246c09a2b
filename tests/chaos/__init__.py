"""Faults injected under load."""
