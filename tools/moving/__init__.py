"""Users move in from other systems, and out."""
