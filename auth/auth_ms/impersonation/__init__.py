"""Acting as a user to help: with a reason, for a limited time, and only to look."""
