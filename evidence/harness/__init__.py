"""Shared by all evidence and the black-box tests: clients, waiting, load, reports, a browser."""
