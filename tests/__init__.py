"""Black-box tests: the running stack, over HTTP, SMTP and AMQP. Nothing here imports a service."""
