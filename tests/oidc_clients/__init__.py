"""Clients of OpenID Connect and OAuth that nobody here wrote, against a stack of their own with TLS.

`programs/` has a small program or a configuration for each. Every test prints what it has proven.
"""
