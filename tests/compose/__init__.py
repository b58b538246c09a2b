"""Containers and the operations on them."""
