"""Events over RabbitMQ: topology, consuming, validation, retries, dead letters, publishing."""
