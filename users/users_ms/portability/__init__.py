"""Users move in from another system with their password hashes, and out: one with all its data, or all of them."""
