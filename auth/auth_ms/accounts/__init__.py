"""What follows from changes of an account in users-ms, and what a user sees of its own account."""
