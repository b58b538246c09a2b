"""Example data for a running stack."""
