"""What the three services of Tessera share: configuration, logs, errors, tokens, health and the outbox."""
