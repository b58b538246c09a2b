"""Settings, environment, logs, metrics, tracing, gunicorn, health checks and pruning."""
