"""Password changes and resets, verification of email and phone, mailed tokens, and erasure."""
