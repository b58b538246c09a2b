"""Tools for the repository and for deployments: `python -m tools COMMAND`, called by the Makefile."""
