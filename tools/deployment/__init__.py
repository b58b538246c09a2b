"""Compose, Kubernetes, releases, and backups."""
