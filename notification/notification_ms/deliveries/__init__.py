"""Notifies users of events over the media that reach them, and records each delivery."""
