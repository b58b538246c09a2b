"""Second factors, their codes, and notices of their changes."""
