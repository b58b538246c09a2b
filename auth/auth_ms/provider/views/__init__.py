"""The routes of the provider."""
