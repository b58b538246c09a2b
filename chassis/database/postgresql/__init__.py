"""Django's PostgreSQL backend with time limits and a cheaper check of persistent connections."""
