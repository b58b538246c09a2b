"""The use cases of auth-ms, one module a subject."""
