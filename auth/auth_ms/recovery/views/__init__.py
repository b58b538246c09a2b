"""The routes of recovery."""
