"""One class a path; each method makes one call into the domain."""
