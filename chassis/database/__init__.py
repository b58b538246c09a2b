"""PostgreSQL: roles, the Django engine, and constraints that become errors."""
