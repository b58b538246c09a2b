"""Events over RabbitMQ: topology, publishing, consumers' Celery application, validation, retries, dead letters."""
