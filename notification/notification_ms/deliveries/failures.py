"""How sending can fail."""


class TransientFailure(Exception):
    """A later attempt may succeed: the server is down or busy."""


class PermanentFailure(Exception):
    """No attempt can succeed: the address is rejected, or the event is unusable."""
