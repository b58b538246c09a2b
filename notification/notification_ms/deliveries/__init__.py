"""Telling people what happened, over the media they can be reached by, and keeping record of it."""
