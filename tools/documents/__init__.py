"""Generates, checks and executes documents, and publishes them as a site."""
