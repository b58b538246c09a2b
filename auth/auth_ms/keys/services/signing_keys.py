"""The keys that sign tokens: created on first use, stored encrypted, published as JWKS (RFC 7517)."""

import functools
import hashlib
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.utils import timezone

from auth_ms.audit import services as audit
from auth_ms.keys.models import SigningKey
from auth_ms.keys.services import vault
from chassis.http.errors import Problem
from chassis.security import public_keys, tokens

# A new key is published this long before it signs: longer than clients may cache the JWKS.
PUBLISHED_BEFORE_USE = timedelta(seconds=120)
_ADVISORY_LOCK = 0x7E55E7A


@dataclass(frozen=True, kw_only=True)
class Key:
    """A decrypted signing key."""

    kid: str
    private_key: ec.EllipticCurvePrivateKey
    public_key: jwt.PyJWK
    signs_from: datetime


def _signs_from(key: Key) -> datetime:
    return key.signs_from


@dataclass(frozen=True, kw_only=True)
class KeyRing:
    """The signing keys, oldest first."""

    keys: list[Key]

    def current(self, at: datetime) -> Key:
        """The key that signs: the newest active one, or the first when it became active just after `at`."""
        return max((key for key in self.keys if key.signs_from <= at), key=_signs_from, default=self.keys[0])

    def published(self, kid: str) -> jwt.PyJWK:
        """The public key with this id. Raises UnknownKey."""
        for key in self.keys:
            if key.kid == kid:
                return key.public_key
        raise public_keys.UnknownKey(kid)


class RotationInProgress(Problem):
    status = 409
    title = "Rotation in progress"
    detail = "A new key is already published and will sign soon."


def key_ring() -> KeyRing:
    """The current keys, read on each call so that no process signs with a key that another one has deleted."""
    at = timezone.now()
    stored = _all()
    if not any(key.signs_from <= at for key in stored):
        with _exclusive_lock():
            if not SigningKey.objects.filter(signs_from__lte=at).exists():
                _create(signs_from=at)
        stored = _all()
    retired = _retired(stored, at=at)
    return KeyRing(keys=[_open(key) for key in stored if key.kid not in retired])


def rotate(*, at: datetime, old_are_compromised: bool = False) -> SigningKey:
    """Create a new key. It signs after two minutes; the old keys verify until all of their tokens have expired.

    With `old_are_compromised`, the old keys are deleted and the new one signs immediately: clients must refresh their
    access tokens. Raises RotationInProgress.
    """
    with _exclusive_lock():
        if old_are_compromised:
            SigningKey.objects.all().delete()
            key = _create(signs_from=at)
        elif SigningKey.objects.filter(signs_from__gt=at).exists():
            raise RotationInProgress
        else:
            first = not SigningKey.objects.exists()
            key = _create(signs_from=at if first else at + PUBLISHED_BEFORE_USE)
        audit.record(
            audit.Event.SIGNING_KEY_ROTATED, client=None, at=at, kid=key.kid, old_are_compromised=old_are_compromised
        )
    return key


def prune(*, at: datetime) -> None:
    """Delete keys whose tokens have all expired."""
    SigningKey.objects.filter(kid__in=_retired(list(_all()), at=at)).delete()


def _retired(keys: list[SigningKey], *, at: datetime) -> list[str]:
    """The keys whose successor has signed for longer than a token is valid."""
    verifies_for = timedelta(seconds=settings.ACCESS_TOKEN_SECONDS) + PUBLISHED_BEFORE_USE
    return [key.kid for key, following in itertools.pairwise(keys) if following.signs_from + verifies_for < at]


def _all() -> list[SigningKey]:
    return list(SigningKey.objects.order_by("signs_from", "kid"))


@contextmanager
def _exclusive_lock() -> Iterator[None]:
    """A transaction that holds an advisory lock, so that one process at a time creates keys."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_ADVISORY_LOCK])
        yield


def _create(*, signs_from: datetime) -> SigningKey:
    private_key = ec.generate_private_key(ec.SECP256R1())
    public_key = private_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    private = private_key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return SigningKey.objects.create(
        kid=hashlib.sha256(public_key).hexdigest()[:32],
        private_key_encrypted=vault.encrypt(private),
        public_key=public_key.decode(),
        signs_from=signs_from,
    )


def _open(key: SigningKey) -> Key:
    private_key, public_key = _pair(key.kid, bytes(key.private_key_encrypted))
    return Key(kid=key.kid, private_key=private_key, public_key=public_key, signs_from=key.signs_from)


@functools.lru_cache(maxsize=8)
def _pair(kid: str, private_key_encrypted: bytes) -> tuple[ec.EllipticCurvePrivateKey, jwt.PyJWK]:
    private_key = serialization.load_der_private_key(vault.decrypt(private_key_encrypted), password=None)
    if not isinstance(private_key, ec.EllipticCurvePrivateKey):
        raise ImproperlyConfigured("A signing key in auth-db is not an elliptic curve key.")
    algorithm = jwt.get_algorithm_by_name(tokens.ALGORITHM)
    members = algorithm.to_jwk(private_key.public_key(), as_dict=True)
    return private_key, jwt.PyJWK(members | {"kid": kid, "use": "sig", "alg": tokens.ALGORITHM})


def jwks() -> dict[str, list[dict[str, str]]]:
    """The public keys as a JSON Web Key Set."""
    return {"keys": [dict(key.public_key._jwk_data) for key in key_ring().keys]}


class OwnKeys:
    """The key source of auth-ms itself: its database instead of its HTTP route."""

    def key(self, kid: str) -> jwt.PyJWK:
        """The public key with this id. Raises UnknownKey."""
        return key_ring().published(kid)
