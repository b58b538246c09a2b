"""Telling outer capabilities that sessions end, in the same transaction."""

from django.dispatch import Signal

# Arguments: `session_ids`, and `at`, the time. Sent inside the transaction; an exception of a receiver undoes it.
ended = Signal()
