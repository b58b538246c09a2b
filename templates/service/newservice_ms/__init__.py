"""newservice-ms."""
