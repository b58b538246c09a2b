"""Users of another system move in with their password hashes, and all users move out."""
