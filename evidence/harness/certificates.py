"""A certificate authority for tests over TLS."""

from chassis.testing.certificate_authority import Authority

__all__ = ["Authority"]
