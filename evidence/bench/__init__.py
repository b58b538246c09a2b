"""`make bench`: how fast Tessera is, as ratios that are measured in one run."""
