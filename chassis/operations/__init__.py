"""Settings, environment, logs, metrics, tracing, gunicorn, health, and housekeeping."""
