"""Rate limits that hold across all processes and replicas of a service, because they live in its database."""
