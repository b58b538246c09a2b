"""auth-ms."""
