"""Consequences of account changes in users-ms, and a user's own activity and data export."""
