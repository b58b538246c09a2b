"""The keys that sign tokens: created on first use, stored encrypted, published as JWKS (RFC 7517)."""

import contextvars
import functools
import hashlib
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import request_finished, request_started
from django.db import connection, transaction
from django.dispatch import receiver
from django.utils import timezone

from auth_ms.audit import services as audit
from auth_ms.keys.models import SigningKey
from auth_ms.keys.services import vault
from chassis.http.errors import Problem
from chassis.security import public_keys, tokens

# A new key is published this long before it signs: longer than clients may cache the JWKS.
PUBLISHED_BEFORE_USE = timedelta(seconds=120)
_ADVISORY_LOCK = 0x7E55E7A
ES256, RS256 = tokens.ALGORITHM, "RS256"
RSA_BITS = 2048
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, kw_only=True)
class Key:
    """A decrypted signing key."""

    kid: str
    private_key: PrivateKey
    public_key: jwt.PyJWK
    signs_from: datetime


def _signs_from(key: Key) -> datetime:
    return key.signs_from


@dataclass(frozen=True, kw_only=True)
class KeyRing:
    """The signing keys of one algorithm, oldest first."""

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


def key_ring(algorithm: str = ES256) -> KeyRing:
    """The keys of an algorithm.

    A request reads them once, anything else on each call, so that no process signs with a key that another one has
    deleted.
    """
    kept = _of_this_request.get()
    if kept is None:
        return _read(algorithm)
    if algorithm not in kept:
        kept[algorithm] = _read(algorithm)
    return kept[algorithm]


_of_this_request: contextvars.ContextVar[dict[str, KeyRing] | None] = contextvars.ContextVar("key rings", default=None)


@receiver(request_started)
def _begin(**_: Any) -> None:
    _of_this_request.set({})


@receiver(request_finished)
def _end(**_: Any) -> None:
    _of_this_request.set(None)


def _read(algorithm: str) -> KeyRing:
    at = timezone.now()
    stored = _all(algorithm)
    if not any(key.signs_from <= at for key in stored):
        with _exclusive_lock():
            if not SigningKey.objects.filter(algorithm=algorithm, signs_from__lte=at).exists():
                _create(algorithm, signs_from=at)
        stored = _all(algorithm)
    retired = _retired(stored, at=at)
    return KeyRing(keys=[_open(key) for key in stored if key.kid not in retired])


def rotate(*, at: datetime, old_are_compromised: bool = False) -> SigningKey:
    """Create a new key for each algorithm in use; returns the one of ES256.

    It signs after two minutes; the old keys verify until all of their tokens have expired. With `old_are_compromised`,
    the old keys are deleted and the new one signs immediately: clients must refresh their access tokens. Raises
    RotationInProgress.
    """
    with _exclusive_lock():
        if old_are_compromised:
            algorithms = _in_use()
            SigningKey.objects.all().delete()
            keys = [_create(algorithm, signs_from=at) for algorithm in algorithms]
        elif SigningKey.objects.filter(signs_from__gt=at).exists():
            raise RotationInProgress
        else:
            first = not SigningKey.objects.exists()
            signs_from = at if first else at + PUBLISHED_BEFORE_USE
            keys = [_create(algorithm, signs_from=signs_from) for algorithm in _in_use()]
        for key in keys:
            facts = {"kid": key.kid, "old_are_compromised": old_are_compromised}
            audit.record(audit.Event.SIGNING_KEY_ROTATED, client=None, at=at, **facts)
    return keys[0]


def _in_use() -> list[str]:
    """ES256, and RS256 once a client has needed it."""
    return [ES256, *([RS256] if SigningKey.objects.filter(algorithm=RS256).exists() else [])]


def prune(*, at: datetime) -> None:
    """Delete keys whose tokens have all expired."""
    for algorithm in (ES256, RS256):
        SigningKey.objects.filter(kid__in=_retired(_all(algorithm), at=at)).delete()


def _retired(keys: list[SigningKey], *, at: datetime) -> list[str]:
    """The keys whose successor has signed for longer than a token is valid."""
    verifies_for = timedelta(seconds=settings.ACCESS_TOKEN_SECONDS) + PUBLISHED_BEFORE_USE
    return [key.kid for key, following in itertools.pairwise(keys) if following.signs_from + verifies_for < at]


def _all(algorithm: str) -> list[SigningKey]:
    return list(SigningKey.objects.filter(algorithm=algorithm).order_by("signs_from", "kid"))


@contextmanager
def _exclusive_lock() -> Iterator[None]:
    """A transaction that holds an advisory lock, so that one process at a time creates keys."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_ADVISORY_LOCK])
        yield


def _create(algorithm: str, *, signs_from: datetime) -> SigningKey:
    private_key: PrivateKey
    if algorithm == ES256:
        private_key = ec.generate_private_key(ec.SECP256R1())
    else:
        private_key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    public_key = private_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    private = private_key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return SigningKey.objects.create(
        kid=hashlib.sha256(public_key).hexdigest()[:32],
        algorithm=algorithm,
        private_key_encrypted=vault.encrypt(private),
        public_key=public_key.decode(),
        signs_from=signs_from,
    )


def _open(key: SigningKey) -> Key:
    private_key, public_key = _pair(key.kid, key.algorithm, bytes(key.private_key_encrypted))
    return Key(kid=key.kid, private_key=private_key, public_key=public_key, signs_from=key.signs_from)


@functools.lru_cache(maxsize=16)
def _pair(kid: str, algorithm: str, private_key_encrypted: bytes) -> tuple[PrivateKey, jwt.PyJWK]:
    private_key = serialization.load_der_private_key(vault.decrypt(private_key_encrypted), password=None)
    if not isinstance(private_key, ec.EllipticCurvePrivateKey if algorithm == ES256 else rsa.RSAPrivateKey):
        raise ImproperlyConfigured("A signing key in auth-db is of another kind than its algorithm.")
    members = dict(jwt.get_algorithm_by_name(algorithm).to_jwk(private_key.public_key(), as_dict=True))
    members.pop("key_ops", None)  # says the same as `use`, with which it should not stand (RFC 7517, §4.3)
    return private_key, jwt.PyJWK(members | {"kid": kid, "use": "sig", "alg": algorithm})


def jwks() -> dict[str, list[dict[str, str]]]:
    """The public keys as a JSON Web Key Set."""
    rings = [key_ring(algorithm) for algorithm in _in_use()]
    return {"keys": [dict(key.public_key._jwk_data) for ring in rings for key in ring.keys]}


class OwnKeys:
    """The key source of auth-ms itself: its database instead of its HTTP route."""

    def key(self, kid: str) -> jwt.PyJWK:
        """The public key with this id. Raises UnknownKey."""
        return key_ring().published(kid)
