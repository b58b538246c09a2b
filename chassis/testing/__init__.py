"""What the tests of the services share; not part of any image."""
