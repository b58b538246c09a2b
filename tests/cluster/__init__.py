"""Orchestration on a cluster."""
