"""Sessions, their refresh tokens, and whether one is still live."""
