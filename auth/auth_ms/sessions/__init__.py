"""Sessions, their refresh tokens, and live checks of access tokens."""
