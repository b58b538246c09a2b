"""users-ms."""
