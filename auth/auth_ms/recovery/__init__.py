"""Password changes and resets, verification of email and phone, and erasure."""
