"""Known vulnerabilities of dependencies, and SBOMs of images."""
