"""What works on the repository and on deployments: `python -m tools COMMAND`, which the Makefile calls."""
