"""Django's PostgreSQL, with a kept connection that is looked at without asking the server."""
