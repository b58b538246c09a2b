"""Login: passwords, lockout, the second step."""
