"""Password changes and resets, verified contacts, mailed tokens, and erasure."""
