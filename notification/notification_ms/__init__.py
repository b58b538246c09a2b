"""notification-ms."""
