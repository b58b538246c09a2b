"""How sending can fail."""


class TransientFailure(Exception):
    """It may work later: the server is away or busy."""


class PermanentFailure(Exception):
    """It will not work however often it is tried: the address is refused, or the event is unusable."""
