"""Known weaknesses of dependencies, and what images contain."""
