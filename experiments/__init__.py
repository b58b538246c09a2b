"""Experiments with the running system: `python -m experiments NAME`, or `make experiments E=NAME`."""
