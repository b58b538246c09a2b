"""PostgreSQL: roles, the Django engine, migration state, and constraints translated into exceptions."""
