"""Login, lockout, and password comparison."""
