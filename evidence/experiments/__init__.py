"""Experiments with the running system: `python -m evidence.experiments NAME`, or `make experiments E=NAME`."""
