"""Which devices and places users have signed in from, so that a sign-in from a new one is told."""

import ipaddress
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.crypto import salted_hmac

from notification_ms.deliveries.notices import Notice

# What counts as one place: networks that a provider gives to its customers from, not an address that changes daily.
_PREFIX_LENGTHS = {4: 24, 6: 48}


def is_known(notice: Notice, *, at: datetime) -> bool:
    """Whether the user has signed in with this user agent from this network before; from now on it is known.

    An event is answered the same each time: the one that made a device known stays the first. A sign-in without an
    address is never known.
    """
    network = network_of(str(notice.event.data.get("address") or ""))
    if not network:
        return False
    device = f"{notice.user_id} {network} {notice.event.data.get('user_agent', '')}"
    digest = salted_hmac("device", device, algorithm="sha256").digest()  # keyed, so that no address is stored
    values: dict[str, Any] = {"hash": digest, "user_id": notice.user_id, "event_id": str(notice.event.id), "at": at}
    with connection.cursor() as cursor:
        cursor.execute(_REMEMBER, values)
        [first] = cursor.fetchone()
    return str(first) != str(notice.event.id)


def network_of(address: str) -> str:
    """The /24 of an IPv4 address, or the /48 of an IPv6 address; empty for text that is neither."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return str(ipaddress.ip_network((parsed, _PREFIX_LENGTHS[parsed.version]), strict=False))


_REMEMBER = """
    INSERT INTO deliveries_knowndevice AS stored (device_hash, user_id, event_id, last_seen_at)
    VALUES (%(hash)s, %(user_id)s, %(event_id)s, %(at)s)
    ON CONFLICT (device_hash) DO UPDATE SET last_seen_at = greatest(stored.last_seen_at, excluded.last_seen_at)
    RETURNING event_id
"""
