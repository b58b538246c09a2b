"""Documents: generated, checked, executed, and published as a site."""
