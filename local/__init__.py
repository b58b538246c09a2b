"""Runs the whole stack as local processes, for machines without a Docker engine and for the tests."""
