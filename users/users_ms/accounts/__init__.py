"""User accounts: profiles and contact data."""
