"""Black-box tests of the running stack over HTTP, SMTP and AMQP. They import no service."""
