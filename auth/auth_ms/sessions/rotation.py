"""How refresh tokens are rotated: those of sessions, and those of the grants of clients."""

from datetime import datetime, timedelta

from auth_ms.keys.services import issuing
from auth_ms.sessions import lifetimes
from auth_ms.sessions.models import RotatedToken, Session

# Parallel requests of one client may all send the old token; each gets the same successor.
REUSE_WINDOW = timedelta(seconds=10)


def was_reused(presented: RotatedToken, *, at: datetime) -> bool:
    """True when a token is used again after REUSE_WINDOW, so that the first or the second user of it has stolen it."""
    return presented.used_at is not None and presented.used_at + REUSE_WINDOW < at


def successor_of(presented: RotatedToken, text: str) -> issuing.OpaqueToken:
    """The successor of a token with this text: the same one for each use, also while SIGNING_KEY_ENCRYPTION_KEY is
    being replaced."""
    successor, *older = issuing.successors_of(text)
    if presented.used_at is None or not older:
        return successor
    issued = type(presented).objects.filter(token_hash__in=[each.digest for each in (successor, *older)])
    hashes = {bytes(digest) for digest in issued.values_list("token_hash", flat=True)}
    return next((each for each in (successor, *older) if each.digest in hashes), successor)


def life_of_token(session: Session, *, at: datetime) -> timedelta:
    """The life of a new refresh token in whole seconds; it does not outlive its session."""
    life = lifetimes.lifetime_of(session)
    left = int(life.absolute.total_seconds()) - int((at - session.created_at).total_seconds())
    return timedelta(seconds=max(0, min(int(life.idle.total_seconds()), left)))
