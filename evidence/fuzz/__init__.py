"""Generated requests and malformed messages."""
