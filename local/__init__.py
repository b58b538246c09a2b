"""The whole stack as local processes, for a machine without a Docker engine; and the tests, which run on it."""
