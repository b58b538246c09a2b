"""Faults injected into a stack under load, and the invariants checked afterwards."""
