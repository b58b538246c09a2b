"""The audit log: every security event, who caused it, and how it ended."""
